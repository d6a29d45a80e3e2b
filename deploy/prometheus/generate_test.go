package prometheus

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write what is generated instead of comparing it")

const (
	levelsFile   = "../slo.yaml"
	templateFile = "dozaar.rules.yaml.tmpl"
	rulesFile    = "dozaar.rules.yaml"
)

// levels is deploy/slo.yaml.
type levels struct {
	Period, Runbook string
	Fast, Slow      []burn
	Objectives      []objective
}

// burn is a rate at which the budget is used up, in multiples of what uses it up in the period, over two windows.
type burn struct {
	Burn        float64
	Long, Short string
}

type objective struct {
	Name, Says string
	Objective  float64 // percent
	Least      int     // bad events in the long window
	Bad, All   string
}

// Windows are all windows, each once, the shortest first.
func (l levels) Windows() []string {
	var all []string
	for _, b := range slices.Concat(l.Fast, l.Slow) {
		all = append(all, b.Long, b.Short)
	}
	slices.SortFunc(all, func(a, b string) int { return seconds(a) - seconds(b) })
	return slices.Compact(all)
}

// seconds reads a window as Prometheus does.
func seconds(window string) int {
	days, isDays := strings.CutSuffix(window, "d")
	if n, err := strconv.Atoi(days); isDays && err == nil {
		return n * 24 * 3600
	}
	d, err := time.ParseDuration(window)
	if err != nil {
		panic(err)
	}
	return int(d.Seconds())
}

func generate(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(levelsFile)
	if err != nil {
		t.Fatal(err)
	}
	var l levels
	strict := yaml.NewDecoder(bytes.NewReader(text))
	strict.KnownFields(true)
	if err := strict.Decode(&l); err != nil {
		t.Fatal(err)
	}
	rules, err := template.New(templateFile).Funcs(template.FuncMap{
		"lower":   strings.ToLower,
		"seconds": seconds,
		"in":      func(expr, window string) string { return strings.ReplaceAll(expr, "$window", window) },
		"indent": func(n int, text string) string {
			return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", n))
		},
		"threshold": func(o objective, b burn) string {
			return fmt.Sprintf("%.4g", b.Burn*(100-o.Objective)/100)
		},
	}).ParseFiles(templateFile)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := rules.Execute(&out, l); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The rules are what the objectives and the template make.
func TestRulesAreGenerated(t *testing.T) {
	want := generate(t)
	if *update {
		if err := os.WriteFile(rulesFile, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale: go test ./deploy/prometheus -update", rulesFile)
	}
}
