package check

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// monitoring renders the chart's alerts and dashboards: a PrometheusRule's spec and a ConfigMap's data.
func monitoring(t *testing.T, enabled bool) (rules, boards map[string]any) {
	t.Helper()
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	v := values(t)["testdata/small"]
	v["alerts"], v["dashboards"] = map[string]any{"enabled": enabled}, map[string]any{"enabled": enabled}
	merged, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: "chat", Namespace: "dozaar"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(c, merged)
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(files["dozaar/templates/monitoring.yaml"], "\n---\n") {
		one, err := chartutil.ReadValues([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		switch one["kind"] {
		case "PrometheusRule":
			rules, _ = one["spec"].(map[string]any)
		case "ConfigMap":
			boards, _ = one["data"].(map[string]any)
		}
	}
	return rules, boards
}

// The alerts and dashboards that the chart brings are those of deploy/; without being asked for it brings none.
func TestMonitoring(t *testing.T) {
	rules, boards := monitoring(t, true)
	want, err := chartutil.ReadValuesFile("../../prometheus/dozaar.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if groups, _ := rules["groups"].([]any); len(groups) == 0 || !reflect.DeepEqual(rules, want.AsMap()) {
		t.Errorf("%d groups of rules, which are not those of deploy/prometheus", len(groups))
	}
	all, err := filepath.Glob("../../grafana/dashboards/*.json")
	if err != nil || len(all) == 0 || len(all) != len(boards) {
		t.Errorf("%d dashboards of %d (%v)", len(boards), len(all), err)
	}
	for _, file := range all {
		if text, err := os.ReadFile(file); err != nil || boards[filepath.Base(file)] != string(text) {
			t.Errorf("%s is another one in the chart (%v)", file, err)
		}
	}
	if rules, boards := monitoring(t, false); rules != nil || boards != nil {
		t.Error("the chart brings what nobody asked for")
	}
}
