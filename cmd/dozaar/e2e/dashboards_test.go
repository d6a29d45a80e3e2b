package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/deploy/grafana"
)

// No panel of any dashboard is empty, and what the runbook has people ask can be asked: each query is asked of a real Prometheus that scraped the product while people talked.
// With DOZAAR_PLOT the golden signals of that time are drawn into the file that it names.
func TestDashboards(t *testing.T) {
	found := find(t, "prometheus", "prometheus", "what the dashboards ask is asked of it")
	p := start(t)
	prometheus := scrape(t, found, p)
	someLoad(t, p)
	dashboards, err := grafana.Dashboards()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dashboards {
		for _, panel := range d.Panels {
			for _, q := range panel.Queries {
				if q.Engine == "cassandra" && !realEngines() {
					continue // asked by `make test-engines`
				}
				expr := strings.ReplaceAll(q.Expr, "$__rate_interval", "1m")
				if n, err := values(prometheus, expr); n == 0 || err != nil {
					t.Errorf("%s, %s: %s answers nothing (%v)", d.Title, panel.Title, q.Expr, err)
				}
			}
		}
	}
	for _, query := range runbookQueries(t) { // which may well be empty
		if _, err := values(prometheus, query); err != nil {
			t.Errorf("the runbook: %v", err)
		}
	}
	// How fast it is here says nothing: machines on which tests run are busy.
	if firing, err := values(prometheus, `ALERTS{severity="page",alertstate="firing",slo!="Delivery"}`); firing > 0 || err != nil {
		t.Errorf("%d alerts of a product that is well (%v)", firing, err)
	}
	if file := os.Getenv("DOZAAR_PLOT"); file != "" {
		svg, err := exec.CommandContext(t.Context(), "go", "run", "../../../deploy/grafana/plot", "-prometheus", prometheus, "-from", "100s").Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, svg, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// runbookQueries are what the runbook has people ask Prometheus.
func runbookQueries(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../../../deploy/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(text), -1) {
		if regexp.MustCompile(`\bdozaar[_:]|\bup\{`).MatchString(code[1]) {
			all = append(all, code[1])
		}
	}
	if len(all) < 20 {
		t.Errorf("only %d queries in the runbook: %q", len(all), all)
	}
	return all
}

// scrape runs a Prometheus that reads all processes of the product every second, and the alerts. It returns its address.
func scrape(t *testing.T, prometheus string, p *product) string {
	t.Helper()
	dir := t.TempDir()
	rules, err := filepath.Abs("../../../deploy/prometheus/dozaar.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n", rules)
	for i, one := range p.processes() {
		config += fmt.Sprintf("- {job_name: %s-%d, static_configs: [{targets: [%q]}]}\n", one.args[0], i, one.admin)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	out := &safeBuffer{}
	cmd := exec.Command(prometheus, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus printed:\n%s", tail(out.String(), 50))
		}
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if n, err := values("http://"+address, "dozaar_build_info"); err == nil && n == len(p.processes()) {
			return "http://" + address
		}
		if time.Now().After(end) {
			t.Fatalf("Prometheus has not scraped the product:\n%s", tail(out.String(), 50))
		}
	}
}

// values is how many series with a number answer the query.
func values(prometheus, query string) (n int, err error) {
	response, err := http.Get(prometheus + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return 0, err
	}
	if answer.Error != "" {
		return 0, fmt.Errorf("%s: %s", query, answer.Error)
	}
	for _, r := range answer.Data.Result {
		if r.Value[1] != "NaN" {
			n++
		}
	}
	return n, nil
}

// someLoad has people talk for a while: they come and go, read back, and a few connections are cut.
func someLoad(t *testing.T, p *product) {
	t.Helper()
	tool, err := filepath.Abs("../../../bin/loadtest")
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, g := range p.gateways {
		urls = append(urls, "http://"+g.listen)
	}
	duration := "20s"
	if os.Getenv("DOZAAR_PLOT") != "" {
		duration = "60s"
	}
	p.suite(tool, "run", "-gateways", strings.Join(urls, ","), "-duration", duration, "-rate", "50", "-conversations", "20", "-cuts", "1",
		"-out", t.TempDir())
}
