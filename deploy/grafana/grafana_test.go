package grafana

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write what is generated instead of comparing it")

// The JSON is what the source makes, and nothing else lies there.
func TestDashboardsAreGenerated(t *testing.T) {
	all, err := Dashboards()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) > 5 {
		t.Errorf("%d dashboards: nobody looks at so many at night", len(all))
	}
	for _, d := range all {
		want, err := json.MarshalIndent(model(d), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("dashboards", d.UID+".json")
		if *update {
			if err := os.WriteFile(path, append(want, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, append(want, '\n')) {
			t.Errorf("%s is stale: go test ./deploy/grafana -update (%v)", path, err)
		}
	}
	there, err := filepath.Glob("dashboards/*.json")
	if err != nil || len(there) != len(all) {
		t.Errorf("%v, %v: want %d files", there, err, len(all))
	}
}

type object = map[string]any

// model is a dashboard as Grafana keeps it: three panels in a row.
func model(d Dashboard) object {
	datasource := object{"type": "prometheus", "uid": "prometheus"} // deploy/compose/grafana/datasources
	var panels []object
	for i, p := range d.Panels {
		var targets []object
		for j, q := range p.Queries {
			targets = append(targets, object{
				"refId": string(rune('A' + j)), "datasource": datasource, "expr": q.Expr, "legendFormat": q.Legend,
			})
		}
		panels = append(panels, object{
			"id": i + 1, "type": "timeseries", "title": p.Title, "datasource": datasource, "targets": targets,
			"gridPos":     object{"x": 8 * (i % 3), "y": 8 * (i / 3), "w": 8, "h": 8},
			"fieldConfig": object{"defaults": object{"unit": p.Unit, "min": 0}, "overrides": []any{}},
			"options":     object{"legend": object{"displayMode": "list", "placement": "bottom"}, "tooltip": object{"mode": "multi"}},
		})
	}
	return object{
		"uid": d.UID, "title": d.Title, "tags": []string{"dozaar"}, "timezone": "browser", "schemaVersion": 39,
		"editable": false, "refresh": "10s", "time": object{"from": "now-1h", "to": "now"}, "panels": panels,
		"links": []object{{"type": "dashboards", "tags": []string{"dozaar"}, "title": "Dozaar", "asDropdown": false, "includeVars": false, "keepTime": true}},
	}
}
