package check

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

var update = flag.Bool("update", false, "write what is rendered instead of comparing it")

const chartDir = "../dozaar"

var kubernetes = chartutil.KubeVersion{Version: "v1.33.0", Major: "1", Minor: "33"}

// The files of values in testdata, each with what is rendered of it beside it.
func values(t *testing.T) (all map[string]map[string]any) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.values.yaml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	all = map[string]map[string]any{}
	for _, file := range files {
		v, err := chartutil.ReadValuesFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(file, ".values.yaml")] = v
	}
	return all
}

func TestLint(t *testing.T) {
	for name, v := range values(t) {
		for _, m := range lint.AllWithKubeVersion(chartDir, v, "dozaar", &kubernetes).Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: %s", name, m)
			}
		}
	}
}

func render(c *chart.Chart, v map[string]any) (map[string]string, error) {
	release := chartutil.ReleaseOptions{Name: "chat", Namespace: "dozaar", IsInstall: true, Revision: 1}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = kubernetes
	merged, err := chartutil.ToRenderValues(c, v, release, capabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, merged)
}

func TestGolden(t *testing.T) {
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range values(t) {
		files, err := render(c, v)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var all strings.Builder
		for _, file := range slices.Sorted(maps.Keys(files)) {
			if text := strings.TrimSpace(files[file]); text != "" && strings.HasSuffix(file, ".yaml") {
				all.WriteString("---\n# " + file + "\n" + text + "\n")
			}
		}
		golden := name + ".golden.yaml"
		if *update {
			if err := os.WriteFile(golden, []byte(all.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || string(want) != all.String() {
			t.Errorf("%s is not what the chart renders: go test ./... -update, and look at what changed (%v)", golden, err)
		}
	}
}

// What the schema refuses.
func TestSchema(t *testing.T) {
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	sound := values(t)["testdata/small"]
	for name, change := range map[string]func(v map[string]any){
		"no brokers":           func(v map[string]any) { delete(v, "engines") },
		"an unknown key":       func(v map[string]any) { v["gatway"] = map[string]any{} },
		"no gateway":           func(v map[string]any) { v["gateway"] = map[string]any{"replicas": 0} },
		"a secret as it is":    func(v map[string]any) { v["secrets"] = map[string]any{"DOZAAR_JWT_SECRET": "in the open"} },
		"words for a number":   func(v map[string]any) { v["deliver"] = map[string]any{"replicas": "three"} },
		"a drain over no time": func(v map[string]any) { v["gateway"] = map[string]any{"drain": map[string]any{"over": 10}} },
	} {
		broken := maps.Clone(sound)
		change(broken)
		if _, err := render(c, broken); err == nil || !strings.Contains(err.Error(), "schema") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
