package prometheus

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// situation is what metrics look like for a while, a value a minute (Prometheus' notation), and what is to fire then.
type situation struct {
	name   string
	at     string // when it is looked at; where it is hours, every hour is
	series map[string]string
	fires  []string // alerts, each followed by its labels but severity and slo; all others are silent
}

// The series that alerts look at, in good health: ten of each in a minute.
var healthy = map[string]string{
	`dozaar_socketio_connects_total`:                                                                `0+10x800`,
	`dozaar_gateway_connects_refused_total{code="unavailable"}`:                                     `0x800`,
	`dozaar_gateway_connects_refused_total{code="unauthorized"}`:                                    `0+50x800`, // their own fault
	`dozaar_socketio_refusals_total{why="too many connections"}`:                                    `0+50x800`,
	`dozaar_gateway_events_total{event="send:message",code="ok"}`:                                   `0+10x800`,
	`dozaar_gateway_events_total{event="send:message",code="unavailable"}`:                          `0x800`,
	`dozaar_gateway_events_total{event="send:message",code="rate_limited"}`:                         `0+50x800`,
	`dozaar_gateway_events_total{event="join:conversation",code="unavailable"}`:                     `0+50x800`, // not a send
	`dozaar_gateway_send_to_delivered_seconds_count`:                                                `0+10x800`,
	`dozaar_gateway_send_to_delivered_seconds_bucket{le="1"}`:                                       `0+10x800`,
	`dozaar_gateway_send_to_delivered_seconds_bucket{le="2"}`:                                       `0+10x800`,
	`dozaar_gateway_catch_ups_total{result="recovered"}`:                                            `0+10x800`,
	`dozaar_gateway_catch_ups_total{result="failed"}`:                                               `0x800`,
	`dozaar_gateway_catch_ups_total{result="refused"}`:                                              `0+50x800`,
	`dozaar_http_requests_total{route="GET /v1/conversations",code="200"}`:                          `0+10x800`,
	`dozaar_http_requests_total{route="GET /v1/conversations",code="404"}`:                          `0+50x800`,
	`dozaar_http_requests_total{route="GET /v1/presence",code="503"}`:                               `0+50x800`, // no history
	`dozaar_kafka_produced_records_total{topic="chat.messages"}`:                                    `0+10x800`,
	`dozaar_kafka_produce_failures_total{topic="chat.messages"}`:                                    `0x800`,
	`dozaar_kafka_consumer_lag_seconds{group="dozaar-deliver",topic="chat.messages",partition="0"}`: `1x800`,
	`dozaar_kafka_consumer_lag_seconds{group="dozaar-notify",topic="chat.messages",partition="0"}`:  `70x800`, // always late
	`dozaar_kafka_consumer_lag_records{group="dozaar-deliver",topic="chat.messages",partition="0"}`: `10x800`,
	`dozaar_kafka_rebalanced_partitions_total{group="dozaar-deliver",event="revoked"}`:              `0x800`,
	`dozaar_kafka_rebalanced_partitions_total{group="dozaar-deliver",event="assigned"}`:             `0+1x800`,
	`dozaar_gateway_sessions{instance="a"}`:                                                         `100x800`,
	`dozaar_process_ready{instance="a"}`:                                                            `1x800`,
	`dozaar_process_ready{instance="c"}`:                                                            `0x800`, // a deliver that starts
	`dozaar_kafka_consumer_lag_seconds{group="dozaar-webhook",partition="0"}`:                       `1x800`,
	`dozaar_notify_webhook_posts_total{outcome="taken"}`:                                            `0+10x800`,
	`dozaar_notify_webhook_posts_total{outcome="dead"}`:                                             `3x800`,
	`dozaar_notify_messages_total{outcome="late"}`:                                                  `3x800`,
	`up{job="gateway",instance="a"}`:                                                                `1x800`,
	`up{job="pushgateway",instance="elsewhere"}`:                                                    `0x800`, // not ours
	`process_start_time_seconds{instance="a"}`:                                                      `7x800`,
	`process_start_time_seconds{instance="elsewhere"}`:                                              `0+1x800`,
	`dozaar_build_info{job="gateway",instance="a"}`:                                                 `1x800`,
	`dozaar_deliver_dead_letters_total{instance="a",topic="chat.messages",reason="undecodable"}`:    `3x800`,
	`dozaar_deliver_unpublished_conversations{instance="a"}`:                                        `0x800`,
	`dozaar_presence_sweep_seconds_count{instance="a"}`:                                             `0+60x800`,
	`dozaar_store_operation_failures_total`:                                                         `0x800`,
	`dozaar_store_operation_seconds_count`:                                                          `0+100x800`,
	`dozaar_redis_up{instance="a"}`:                                                                 `1x800`,
	`dozaar_auth_tokens_total{result="accepted"}`:                                                   `0+20x800`,
	`dozaar_auth_tokens_total{result="signature"}`:                                                  `0+1x800`,
	`dozaar_auth_tokens_total{result="malformed"}`:                                                  `0+50x800`, // anybody can have that
	`dozaar_auth_tokens_total{result="expired"}`:                                                    `0+50x800`,
	`dozaar_auth_keys_refreshed_timestamp_seconds{instance="a",source="jwks"}`:                      `0+60x800`,
	`dozaar_auth_keys_refreshed_timestamp_seconds{instance="b",source="file"}`:                      `0x800`, // there is none
	`dozaar_socketio_send_overflows_total`:                                                          `0x800`,
	`dozaar_socketio_connections{transport="websocket"}`:                                            `100x800`,
	`dozaar_socketio_panics_total{instance="a"}`:                                                    `0x800`,
	`dozaar_http_panics_total{instance="a"}`:                                                        `0x800`,
}

const gone = "_x5000" // no such series

var situations = []situation{
	{"all is well", "12h", nil, nil},
	{"all is well, and just begun", "2m", map[string]string{`dozaar_deliver_dead_letters_total{instance="a",topic="chat.messages",reason="undecodable"}`: `0x800`}, nil},
	{"Prometheus has just begun, we have not", "2m", map[string]string{`process_start_time_seconds{instance="a"}`: `-5000x800`}, nil},
	{"OpenMetrics writes 1.0", "12h", map[string]string{
		`dozaar_gateway_send_to_delivered_seconds_bucket{le="1"}`: gone, `dozaar_gateway_send_to_delivered_seconds_bucket{le="1.0"}`: `0+10x800`,
	}, nil},

	// Objectives: one in eleven fails, for an hour after six good ones; one in two hundred for long; and a handful at night.
	{"connects fail", "7h", map[string]string{`dozaar_gateway_connects_refused_total{code="unavailable"}`: `0x360 0+1x800`},
		[]string{"DozaarConnectsBurnFast", "DozaarConnectsBurnSlow"}},
	{"handshakes over the rate", "7h", map[string]string{`dozaar_socketio_refusals_total{why="handshake rate"}`: `0x360 0+1x800`},
		[]string{"DozaarConnectsBurnFast", "DozaarConnectsBurnSlow"}},
	{"no connect succeeds", "7h", map[string]string{`dozaar_socketio_connects_total`: `0+10x360 3600x800`, `dozaar_gateway_connects_refused_total{code="unavailable"}`: `0x360 0+10x800`},
		[]string{"DozaarConnectsBurnFast", "DozaarConnectsBurnSlow"}},
	{"connects fail now and then", "12h", map[string]string{`dozaar_gateway_connects_refused_total{code="unavailable"}`: `0+0.05x800`},
		[]string{"DozaarConnectsBurnSlow"}},
	{"few connects at night, one fails", "7h", map[string]string{`dozaar_socketio_connects_total`: `0+0.1x800`, `dozaar_gateway_connects_refused_total{code="unavailable"}`: `0x360 0+0.02x800`}, nil},
	{"connects failed, and do no more", "8h", map[string]string{`dozaar_gateway_connects_refused_total{code="unavailable"}`: `0x360 0+2x30 60x800`}, []string{"DozaarConnectsBurnSlow"}},

	{"sends fail", "7h", map[string]string{`dozaar_gateway_events_total{event="send:message",code="unavailable"}`: `0x360 0+1x800`},
		[]string{"DozaarSendsBurnFast", "DozaarSendsBurnSlow"}},
	{"the backend's sends fail", "7h", map[string]string{`dozaar_http_requests_total{route="POST /v1/conversations/{id}/messages",code="503"}`: `0x360 0+1x800`},
		[]string{"DozaarSendsBurnFast", "DozaarSendsBurnSlow"}},
	{"sends fail now and then", "12h", map[string]string{`dozaar_gateway_events_total{event="send:message",code="unavailable"}`: `0+0.05x800`},
		[]string{"DozaarSendsBurnSlow"}},
	{"two sends of ten fail at night", "7h", map[string]string{`dozaar_gateway_events_total{event="send:message",code="ok"}`: `0+0.1x800`, `dozaar_gateway_events_total{event="send:message",code="unavailable"}`: `0x360 0+0.02x800`}, nil},

	{"delivery is slow", "7h", map[string]string{`dozaar_gateway_send_to_delivered_seconds_bucket{le="1"}`: `0+10x360 3600+8x800`},
		[]string{"DozaarDeliveryBurnFast", "DozaarDeliveryBurnSlow"}},
	{"delivery is slow at times", "12h", map[string]string{`dozaar_gateway_send_to_delivered_seconds_bucket{le="1"}`: `0+9.85x800`},
		[]string{"DozaarDeliveryBurnSlow"}},
	{"few are late", "12h", map[string]string{`dozaar_gateway_send_to_delivered_seconds_bucket{le="1"}`: `0+9.99x800`}, nil},

	{"catch-ups fail", "7h", map[string]string{`dozaar_gateway_catch_ups_total{result="failed"}`: `0x360 0+1x800`},
		[]string{"DozaarCatchUpsBurnFast", "DozaarCatchUpsBurnSlow"}},
	{"catch-ups fail now and then", "12h", map[string]string{`dozaar_gateway_catch_ups_total{result="failed"}`: `0+0.05x800`},
		[]string{"DozaarCatchUpsBurnSlow"}},

	{"history cannot be read", "7h", map[string]string{`dozaar_http_requests_total{route="GET /v1/conversations/{id}/messages",code="503"}`: `0x360 0+1x800`},
		[]string{"DozaarHistoryBurnFast", "DozaarHistoryBurnSlow"}},
	{"history cannot be read now and then", "12h", map[string]string{`dozaar_http_requests_total{route="GET /v1/conversations/{id}/messages",code="503"}`: `0+0.05x800`},
		[]string{"DozaarHistoryBurnSlow"}},

	// What is in no ratio.
	{"the oldest message waits", "1h", map[string]string{`dozaar_kafka_consumer_lag_seconds{group="dozaar-deliver",topic="chat.messages",partition="0"}`: `1x55 31+60x20`},
		[]string{`DozaarMessagesWait{group="dozaar-deliver",topic="chat.messages"}`}},
	{"receipts wait", "1h", map[string]string{`dozaar_kafka_consumer_lag_seconds{group="dozaar-deliver",topic="chat.receipts",partition="0"}`: `1x55 31+60x20`}, nil},
	{"Redis takes nothing from deliver", "1h", map[string]string{`dozaar_deliver_rebroadcast_failures_total{topic="chat.messages"}`: `0x50 0+1x20`}, []string{"DozaarMessagesNotShown"}},
	{"Redis failed over, and a message had waited for too long", "1h", map[string]string{`dozaar_deliver_rebroadcast_failures_total{topic="chat.messages"}`: `0x56 1x20`}, nil},
	{"receipts are not told", "1h", map[string]string{`dozaar_deliver_rebroadcast_failures_total{topic="chat.receipts"}`: `0x50 0+1x20`}, nil},
	{"a gateway that Redis does not serve", "1h", map[string]string{`dozaar_redis_up{instance="a"}`: `1x50 0x20`},
		[]string{"DozaarMessagesNotShown", `DozaarRedisFails{instance="a"}`}},
	{"tokens are signed with another key", "1h", map[string]string{
		`dozaar_auth_tokens_total{result="accepted"}`: `0+20x50 1000+2x20`, `dozaar_auth_tokens_total{result="signature"}`: `0x50 0+18x20`,
	}, []string{"DozaarTokensRefused"}},
	{"one gateway has another secret", "1h", map[string]string{
		`dozaar_auth_tokens_total{instance="b",result="accepted"}`: `0x800`, `dozaar_auth_tokens_total{instance="b",result="signature"}`: `0x50 0+15x20`,
	}, []string{`DozaarTokensRefused{instance="b"}`}},
	{"somebody tries keys", "1h", map[string]string{`dozaar_auth_tokens_total{result="key"}`: `0+15x800`}, nil},
	{"few tokens at night, most refused", "1h", map[string]string{
		`dozaar_auth_tokens_total{result="accepted"}`: `0+1x800`, `dozaar_auth_tokens_total{result="signature"}`: `0+5x800`,
	}, nil},
	{"nobody delivers", "1h", map[string]string{`dozaar_kafka_consumer_lag_seconds{group="dozaar-deliver",topic="chat.messages",partition="0"}`: `1x50 stale`},
		[]string{"DozaarNobodyDelivers"}},
	{"nobody delivers, and nobody sends", "1h", map[string]string{
		`dozaar_kafka_consumer_lag_seconds{group="dozaar-deliver",topic="chat.messages",partition="0"}`: gone, `dozaar_kafka_produced_records_total{topic="chat.messages"}`: `9x800`,
	}, nil},
	{"no gateway", "1h", map[string]string{`dozaar_gateway_sessions{instance="a"}`: `100x50 stale`}, []string{"DozaarNoGateway"}},
	{"no gateway is ready", "1h", map[string]string{`dozaar_process_ready{instance="a"}`: `1x50 0x20`}, []string{"DozaarNoGateway"}},
	{"one of two is not ready", "1h", map[string]string{
		`dozaar_process_ready{instance="a"}`: `1x50 0x20`, `dozaar_gateway_sessions{instance="b"}`: `100x800`, `dozaar_process_ready{instance="b"}`: `1x800`,
	}, nil},
	{"one gateway of two", "1h", map[string]string{`dozaar_gateway_sessions{instance="b"}`: `100x50 stale`}, nil},

	{"a process is down", "1h", map[string]string{`up{job="gateway",instance="a"}`: `1x50 0x20`}, []string{`DozaarRoleDown{job="gateway",instance="a"}`}},
	{"one that never answered", "1h", map[string]string{`up{job="gateway",instance="b"}`: `0x800`}, []string{`DozaarRoleDown{job="gateway",instance="b"}`}},
	{"a process was away for a deploy", "1h", map[string]string{`up{job="gateway",instance="a"}`: `1x50 0x2 1x20`}, nil},
	{"a process ends again and again", "1h", map[string]string{`process_start_time_seconds{instance="a"}`: `7x40 8x4 9x4 10x4 11x4 12x20`},
		[]string{`DozaarRestarts{instance="a"}`}},
	{"it has just ended once more", "1h", map[string]string{
		`process_start_time_seconds{instance="a"}`: `7x40 8x4 9x4 10x4 11x4 12x20`, `dozaar_build_info{job="gateway",instance="a"}`: `1x58 stale`,
	}, []string{`DozaarRestarts{instance="a"}`}},
	{"a process was started again", "1h", map[string]string{`process_start_time_seconds{instance="a"}`: `7x40 8x40`}, nil},
	{"a dead letter", "1h", map[string]string{`dozaar_deliver_dead_letters_total{instance="a",topic="chat.messages",reason="undecodable"}`: `3x55 4x20`},
		[]string{`DozaarDeadLetters{topic="chat.messages",reason="undecodable"}`}},
	{"a dead letter right at the start", "1h", map[string]string{
		`process_start_time_seconds{instance="a"}`: `3290x800`, `dozaar_deliver_dead_letters_total{instance="a",topic="chat.messages",reason="undecodable"}`: gone,
		`dozaar_deliver_dead_letters_total{instance="a",topic="chat.receipts",reason="key"}`: `_x55 1x20`,
	},
		[]string{`DozaarDeadLetters{topic="chat.receipts",reason="key"}`}},
	{"nobody sweeps", "1h", map[string]string{`dozaar_presence_sweep_seconds_count{instance="a"}`: `0+60x50 stale`}, []string{"DozaarNobodySweeps"}},
	{"one of two sweeps", "1h", map[string]string{`dozaar_presence_sweep_seconds_count{instance="b"}`: `0+60x50 stale`}, nil},
	{"Kafka refuses", "1h", map[string]string{`dozaar_kafka_produce_failures_total{topic="chat.messages"}`: `0x50 0+1x20`}, []string{"DozaarKafkaFails"}},
	{"Kafka refuses one in a thousand", "1h", map[string]string{`dozaar_kafka_produce_failures_total{topic="chat.messages"}`: `0x50 0+0.01x20`}, nil},
	{"chat.messages.stored takes nothing", "1h", map[string]string{`dozaar_deliver_unpublished_conversations{instance="a"}`: `0x50 3x20`}, []string{`DozaarStoredUnpublished{instance="a"}`}},
	{"chat.messages.stored is slow now and then", "1h", map[string]string{`dozaar_deliver_unpublished_conversations{instance="a"}`: `0x50 3 0 2 0 1 0 4 0 2 0`}, nil},
	{"the store fails", "1h", map[string]string{`dozaar_store_operation_failures_total`: `0x50 0+5x20`}, []string{"DozaarStoreFails"}},
	{"the store fails once", "1h", map[string]string{`dozaar_store_operation_failures_total`: `0x58 1x20`}, nil},
	{"Redis does not serve a deliver", "1h", map[string]string{`dozaar_redis_up{instance="b"}`: `1x50 0x20`}, []string{`DozaarRedisFails{instance="b"}`}},
	{"Redis fails over", "1h", map[string]string{`dozaar_redis_up{instance="a"}`: `1x55 0 1x20`}, nil},
	{"partitions change hands", "1h", map[string]string{`dozaar_kafka_rebalanced_partitions_total{group="dozaar-deliver",event="revoked"}`: `0x40 0+1x30`},
		[]string{`DozaarRebalances{group="dozaar-deliver"}`}},
	{"a rolling deploy of three", "1h", map[string]string{`dozaar_kafka_rebalanced_partitions_total{group="dozaar-deliver",event="revoked"}`: `0x40 1 2 3x30`}, nil},
	{"keys cannot be read", "2h30m", map[string]string{`dozaar_auth_keys_refreshed_timestamp_seconds{instance="a",source="jwks"}`: `60+60x60 3660x500`},
		[]string{`DozaarTokenKeysOld{instance="a",source="jwks"}`}},
	{"the keys of one source of two cannot be read", "2h30m", map[string]string{
		`dozaar_auth_keys_refreshed_timestamp_seconds{instance="a",source="jwks"}`: `60+60x60 3660x500`,
		`dozaar_auth_keys_refreshed_timestamp_seconds{instance="a",source="file"}`: `0+60x800`,
	}, []string{`DozaarTokenKeysOld{instance="a",source="jwks"}`}},
	{"keys were read half an hour ago", "1h30m", map[string]string{`dozaar_auth_keys_refreshed_timestamp_seconds{instance="a",source="jwks"}`: `60+60x60 3660x500`}, nil},
	{"clients do not keep up", "1h", map[string]string{`dozaar_socketio_send_overflows_total`: `0x50 0+2x20`}, []string{"DozaarSlowSockets"}},
	{"some clients of very many", "1h", map[string]string{`dozaar_socketio_send_overflows_total`: `0x50 0+2x20`, `dozaar_socketio_connections{transport="websocket"}`: `100000x800`}, nil},
	{"the webhook refuses", "1h", map[string]string{`dozaar_notify_webhook_posts_total{outcome="dead"}`: `3x55 4x20`}, []string{"DozaarNotifyFails"}},
	{"the webhook is away", "1h", map[string]string{`dozaar_kafka_consumer_lag_seconds{group="dozaar-webhook",partition="0"}`: `1x45 60+60x20`},
		[]string{"DozaarNotifyFails"}},
	{"notify is too slow", "1h", map[string]string{`dozaar_notify_messages_total{outcome="late"}`: `3x55 4x20`}, []string{"DozaarNotifyFails"}},
	{"a panic", "1h", map[string]string{`dozaar_http_panics_total{instance="a"}`: `0x55 1x20`}, []string{`DozaarPanics{instance="a"}`}},
}

// alert is what the rules say of one.
type alert struct {
	Alert       string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct{ Rules []alert }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var all []alert
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				all = append(all, r)
			}
		}
	}
	return all
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	found, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("promtool is missing: the alerts are tested with it")
	}
	if err != nil {
		t.Skip("NOT TESTED: promtool is missing (Debian: apt-get install prometheus): the alerts are tested with it")
	}
	if out, err := exec.CommandContext(t.Context(), found, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestRulesAreSound(t *testing.T) { promtool(t, "check", "rules", rulesFile) }

// Every alert fires in a situation that is its own, and in no other.
func TestAlerts(t *testing.T) {
	all := alerts(t)
	if len(all) < 8 {
		t.Errorf("only %d alerts", len(all))
	}
	fired := map[string]bool{}
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	long, short := []map[string]any{}, []map[string]any{}
	for _, s := range situations {
		if hours := strings.HasSuffix(s.at, "h") && s.at != "1h"; hours {
			long = append(long, s.test(t, all, fired))
		} else {
			short = append(short, s.test(t, all, fired))
		}
	}
	for _, a := range all {
		if !fired[a.Alert] {
			t.Errorf("no situation has %s fire", a.Alert)
		}
	}
	// They are not gone through minute by minute, for the sake of time.
	for every, tests := range map[string][]map[string]any{"2m": short, "1h": long} {
		text, err := yaml.Marshal(map[string]any{"rule_files": []string{rules}, "evaluation_interval": every, "tests": tests})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "alerts.test.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		promtool(t, "test", "rules", path)
	}
}

var (
	firing = regexp.MustCompile(`^(\w+)(?:\{(.*)\})?$`)
	label  = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// test is the situation as promtool wants it: what each alert has to say at that moment.
func (s situation) test(t *testing.T, all []alert, fired map[string]bool) map[string]any {
	t.Helper()
	var input []map[string]string
	for series, values := range healthy {
		if other, differs := s.series[series]; differs {
			values = other
		}
		input = append(input, map[string]string{"series": series, "values": values})
	}
	for series, values := range s.series {
		if _, known := healthy[series]; !known {
			input = append(input, map[string]string{"series": series, "values": values})
		}
	}
	expected := map[string][]map[string]any{}
	for _, f := range s.fires {
		parts := firing.FindStringSubmatch(f)
		i := slices.IndexFunc(all, func(a alert) bool { return a.Alert == parts[1] })
		if i < 0 {
			t.Fatalf("there is no alert %s", parts[1])
		}
		labels := map[string]string{}
		for name, value := range all[i].Labels {
			labels[name] = value
		}
		for _, l := range label.FindAllStringSubmatch(parts[2], -1) {
			labels[l[1]] = l[2]
		}
		fired[parts[1]] = true
		expected[parts[1]] = append(expected[parts[1]], map[string]any{"exp_labels": labels, "exp_annotations": all[i].Annotations})
	}
	var want []map[string]any
	for _, a := range all {
		want = append(want, map[string]any{"eval_time": s.at, "alertname": a.Alert, "exp_alerts": expected[a.Alert]})
	}
	return map[string]any{"name": s.name, "interval": "1m", "input_series": input, "alert_rule_test": want}
}

// Each alert leads to an entry of the runbook, which says all four things.
func TestRunbook(t *testing.T) {
	text, err := os.ReadFile("../runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		entries[strings.ToLower(strings.ReplaceAll(title, " ", "-"))] = body
	}
	for _, a := range alerts(t) {
		page, anchor, _ := strings.Cut(a.Annotations["runbook_url"], "#")
		if !strings.HasSuffix(page, "/deploy/runbook.md") || a.Annotations["summary"] == "" {
			t.Errorf("%s: %v", a.Alert, a.Annotations)
		}
		body, found := entries[anchor]
		if !found {
			t.Errorf("the runbook has no entry %q for %s", anchor, a.Alert)
			continue
		}
		for _, part := range []string{"**Means.**", "**See it.**", "**Do.**", "**Over.**"} {
			if !strings.Contains(body, part) {
				t.Errorf("entry %q does not have %s", anchor, part)
			}
		}
		if !strings.Contains(body, a.Alert) {
			t.Errorf("entry %q does not name %s", anchor, a.Alert)
		}
	}
}

// The metrics that the rules and the runbook name are exported, with the labels that they are summed by.
func TestNamedMetricsAreReal(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{} // of each metric
	for _, row := range regexp.MustCompile("(?m)^\\| `(dozaar_[a-z_]+)` \\| (\\w+) \\| ([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		labels[row[1]] = row[3]
		for _, part := range []string{"_bucket", "_count", "_sum"} {
			if row[2] == "histogram" {
				labels[row[1]+part] = row[3] + ", le"
			}
		}
	}
	for _, file := range []string{rulesFile, "../runbook.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bdozaar_[a-z_]+[a-z]\b`).FindAllString(string(text), -1) {
			if _, exported := labels[name]; !exported {
				t.Errorf("%s: %s is not exported", file, name)
			}
		}
		for _, sum := range regexp.MustCompile(`by \(([a-z_, ]+)\) \((?:rate|increase)\((dozaar_[a-z_]+)`).FindAllStringSubmatch(string(text), -1) {
			for label := range strings.SplitSeq(sum[1], ", ") {
				if !slices.Contains(strings.Split(strings.TrimSpace(labels[sum[2]]), ", "), label) && label != "instance" {
					t.Errorf("%s: %s has no label %s", file, sum[2], label)
				}
			}
		}
	}
}
