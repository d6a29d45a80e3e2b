package check

import (
	"flag"
	"fmt"
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

func render(release string, c *chart.Chart, v map[string]any) (map[string]string, error) {
	options := chartutil.ReleaseOptions{Name: release, Namespace: "dozaar", IsInstall: true, Revision: 1}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = kubernetes
	merged, err := chartutil.ToRenderValues(c, v, options, capabilities)
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
		files, err := render("chat", c, v)
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
		"no brokers":         func(v map[string]any) { delete(v, "engines") },
		"an unknown key":     func(v map[string]any) { v["gatway"] = map[string]any{} },
		"no gateway":         func(v map[string]any) { v["gateway"] = map[string]any{"replicas": 0} },
		"a secret as it is":  func(v map[string]any) { v["secrets"] = map[string]any{"DOZAAR_JWT_SECRET": "in the open"} },
		"words for a number": func(v map[string]any) { v["deliver"] = map[string]any{"replicas": "three"} },
		"a broker without a port": func(v map[string]any) {
			v["engines"] = map[string]any{"kafkaBrokers": []any{"kafka"}, "cassandraHosts": []any{"c"}, "redisAddrs": []any{"r:1"}}
		},
		"a password in the open": func(v map[string]any) { v["env"] = map[string]any{"DOZAAR_REDIS_PASSWORD": "hunter2"} },
		"what the chart sets":    func(v map[string]any) { v["gateway"] = map[string]any{"env": map[string]any{"DOZAAR_LISTEN": ":80"}} },
		"a secret's name that is none": func(v map[string]any) {
			v["secrets"] = map[string]any{"DOZAAR_JWT_SECRET": map[string]any{"name": "a}, x: {b", "key": "c"}}
		},
		"a budget that lets no node be drained": func(v map[string]any) { v["disruption"] = map[string]any{"maxUnavailable": 0} },
		"a port that is none":                   func(v map[string]any) { v["gateway"] = map[string]any{"service": map[string]any{"port": 70000}} },
		"a drain over no time":                  func(v map[string]any) { v["gateway"] = map[string]any{"drain": map[string]any{"over": 10}} },
	} {
		broken := maps.Clone(sound)
		change(broken)
		if _, err := render("chat", c, broken); err == nil || !strings.Contains(err.Error(), "schema") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What only makes no sense together the templates refuse, and say why.
func TestChecks(t *testing.T) {
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	type object = map[string]any
	sound := values(t)["testdata/small"]
	for says, change := range map[string]object{
		"must be at least delay, twice over and five: 125 s": {"gateway": object{"drain": object{"over": "1m", "grace": 124, "delay": 0}}},
		"and must be at least delay, twice over and five":    {"gateway": object{"drain": object{"over": "0s", "grace": 10, "delay": 20}}},
		"gateway.autoscaling: min is greater than max":       {"gateway": object{"autoscaling": object{"enabled": true, "min": 10, "max": 2}}},
		"nothing says how tokens are verified":               {"secrets": object{"DOZAAR_REDIS_PASSWORD": object{"name": "redis", "key": "password"}}},
		"DOZAAR_REDIS_MASTER is both under secrets and under env": {
			"env":     object{"DOZAAR_REDIS_MASTER": "chat"},
			"secrets": object{"DOZAAR_REDIS_MASTER": object{"name": "a", "key": "b"}, "DOZAAR_JWT_SECRET": object{"name": "a", "key": "b"}},
		},
		"and DOZAAR_SCHEMA_REGISTRY_URL under secrets too": {
			"secrets": object{"DOZAAR_SCHEMA_REGISTRY_URL": object{"name": "a", "key": "b"}, "DOZAAR_JWT_SECRET": object{"name": "a", "key": "b"}},
		},
	} {
		broken := maps.Clone(sound)
		maps.Copy(broken, change)
		if _, err := render("chat", c, broken); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; want %q", err, says)
		}
	}
	if _, err := render(strings.Repeat("a", 41), c, sound); err == nil || !strings.Contains(err.Error(), "more than 40 characters") {
		t.Error(err)
	}
}

// Pods reach the engines, whatever their ports are.
func TestEgressHasTheEnginesPorts(t *testing.T) {
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	v := maps.Clone(values(t)["testdata/small"])
	v["engines"] = map[string]any{
		"kafkaBrokers": []any{"a:11", "b:12"}, "schemaRegistryURL": "http://registry:13/", "cassandraHosts": []any{"a", "b:14"}, "redisAddrs": []any{"[::1]:15"},
	}
	files, err := render("chat", c, v)
	if err != nil {
		t.Fatal(err)
	}
	for port := 11; port <= 15; port++ {
		if n := strings.Count(files["dozaar/templates/around.yaml"], fmt.Sprintf("- {port: %d, protocol: TCP}", port)); n != 4 {
			t.Errorf("port %d is open for %d roles", port, n)
		}
	}
}
