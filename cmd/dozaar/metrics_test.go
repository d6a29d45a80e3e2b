package main

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/store/cassandra"
)

var update = flag.Bool("update", false, "write what is generated instead of comparing it")

const metricsPage = "../../docs/metrics.md"

// docs/metrics.md has each metric that a role exports, and none that no role does. -update writes its tables.
func TestMetricsAreDocumented(t *testing.T) {
	w := newWorld(t)
	w.cfg.Dev = true
	w.everything()
	w.cfg.HTTP.Listen = "127.0.0.1:0"
	w.cfg.Presence = PresenceConfig{PresenceGrace: time.Second, TypingTTL: time.Second}
	w.cfg.Sockets = SocketConfig{MaxFrame: 1 << 18, SocketBuffer: 1 << 20, ConnectTimeout: time.Second}
	roles := map[string]*role{}
	w.cfg.Notify = NotifyConfig{NotifyDelay: time.Second, NotifyWebhookURL: "http://127.0.0.1:1", NotifyWebhookSecret: NewSecret(strings.Repeat("s", leastWebhookSecret))}
	for _, name := range []string{roleGateway, roleDeliver, rolePresence, roleNotify} {
		roles[name] = w.start(name)
	}
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		all := map[string]exported{}
		started := true
		for name, r := range roles {
			// The embedded store has none of Cassandra's, which are there before it answers.
			_, _ = cassandra.Open(t.Context(), cassandra.Config{Hosts: []string{"127.0.0.1:1"}, Timeout: time.Second, Registerer: r.metrics})
			note(t, all, name, r.metrics)
			started = started && r.process.started.Load()
		}
		want := withTables(string(page), all)
		switch late := time.Now().After(deadline); {
		case !*update && want == string(page):
			return
		case *update && started && len(all) > 0 && time.Until(deadline) < 25*time.Second:
			if err := os.WriteFile(metricsPage, []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
			return
		case late:
			t.Fatalf("%s is not what is exported; write it with -update and look at what changed:\n%s", metricsPage, different(string(page), want))
		}
	}
}

// exported is a metric as roles export it.
type exported struct {
	kind, labels, help string
	roles              []string
}

// note adds what a registry describes: also those of which there is no series yet.
func note(t *testing.T, all map[string]exported, role string, registry *prometheus.Registry) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, f := range families {
		kinds[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	descs := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descs)
		close(descs)
	}()
	for desc := range descs {
		parts := descText.FindStringSubmatch(desc.String())
		if parts == nil {
			t.Fatalf("%s cannot be read", desc)
		}
		name := parts[1]
		if !strings.HasPrefix(name, "dozaar_") || switchedOff.MatchString(name) {
			continue // the former are Go's own
		}
		m := all[name]
		if m.roles == nil {
			guess := "gauge" // without a series yet
			switch {
			case strings.HasSuffix(name, "_total"):
				guess = "counter"
			case strings.HasSuffix(name, "_seconds") && !strings.HasSuffix(name, "_timestamp_seconds"):
				guess = "histogram"
			}
			m.kind, m.help = cmp.Or(kinds[name], guess), strings.ReplaceAll(parts[2], `\"`, `"`)
			labels := strings.FieldsFunc(constLabel.ReplaceAllString(parts[3], "$1")+","+parts[4], func(r rune) bool { return r == ',' })
			m.labels = strings.Join(labels, ", ")
		}
		if !slices.Contains(m.roles, role) {
			m.roles = append(m.roles, role)
			slices.Sort(m.roles)
		}
		all[name] = m
	}
}

var (
	descText = regexp.MustCompile(`^Desc\{fqName: "(.*)", help: "(.*?)", (?:unit: "[^"]*", )?constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)
	// what the client library registers and is not told to count
	switchedOff = regexp.MustCompile(`^dozaar_kafka_client_(.*_seconds|(fetch|produce)_(bytes|records)_total)$`)
	constLabel  = regexp.MustCompile(`(\w+)="[^"]*"`)
	metricTable = regexp.MustCompile(`(?s)(<!-- ([a-z_ ]+) -->\n).*?(<!-- end -->)`)
)

// withTables is the page with its tables made anew: each has the metrics of the prefixes in its comment.
func withTables(page string, all map[string]exported) string {
	rest := maps.Clone(all)
	page = metricTable.ReplaceAllStringFunc(page, func(old string) string {
		parts := metricTable.FindStringSubmatch(old)
		var rows strings.Builder
		rows.WriteString("| metric | type | labels | roles | means |\n|---|---|---|---|---|\n")
		for _, name := range slices.Sorted(maps.Keys(all)) {
			of := func(prefix string) bool { return strings.HasPrefix(name, "dozaar_"+prefix+"_") }
			if _, left := rest[name]; !left || !slices.ContainsFunc(strings.Fields(parts[2]), of) {
				continue
			}
			delete(rest, name)
			m := all[name]
			fmt.Fprintf(&rows, "| `%s` | %s | %s | %s | %s |\n", name, m.kind, m.labels, strings.Join(m.roles, ", "), strings.ReplaceAll(m.help, "|", `\|`))
		}
		return parts[1] + rows.String() + parts[3]
	})
	for name := range rest {
		page += "`" + name + "` is in no table\n"
	}
	return page
}

// different shows the lines that only one of two texts has.
func different(old, new string) string {
	var out strings.Builder
	a, b := strings.Split(old, "\n"), strings.Split(new, "\n")
	for _, line := range a {
		if !slices.Contains(b, line) {
			out.WriteString("- " + line + "\n")
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			out.WriteString("+ " + line + "\n")
		}
	}
	return out.String()
}
