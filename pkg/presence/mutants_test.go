package presence

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

// noticing is a test that the model may fail.
type noticing struct {
	*testing.T
	failed string
}

func (n *noticing) Errorf(format string, args ...any) {
	if n.failed == "" {
		n.failed, _, _ = strings.Cut(fmt.Sprintf(format, args...), "\n")
	}
}
func (n *noticing) Error(args ...any)                 { n.Errorf("%s", fmt.Sprint(args...)) }
func (n *noticing) Fatalf(format string, args ...any) { n.Errorf(format, args...); runtime.Goexit() }
func (n *noticing) Fatal(args ...any)                 { n.Fatalf("%s", fmt.Sprint(args...)) }
func (n *noticing) Fail()                             { n.Errorf("failed") }
func (n *noticing) FailNow()                          { n.Fail(); runtime.Goexit() }
func (n *noticing) Failed() bool                      { return n.failed != "" }
func (n *noticing) Logf(string, ...any)               {}
func (n *noticing) Log(...any)                        {}

// edit takes a rule out of a script.
type edit struct {
	script        **redis.Script
	text          string
	with, without string
}

// TestModelNoticesMissingRules leaves one of these rules out of the scripts at a time, and has the model play until something
// goes wrong. Rules whose absence its histories do not show are not among them.
func TestModelNoticesMissingRules(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		t.Skip("takes minutes: run `make model`")
	}
	for name, value := range map[string]string{"rapid.checks": "400", "rapid.shrinktime": "0s", "rapid.nofailfile": "true", "rapid.seed": "1"} {
		f := flag.Lookup(name)
		was := f.Value.String()
		if err := f.Value.Set(value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Value.Set(was) })
	}
	m := redistest.StartMini(t)
	client := redistest.Unhurried(t, m)
	for _, broken := range []struct {
		rule  string
		edits []edit
	}{
		{"absence proves nothing to a sweeper while leases are written again", []edit{
			{&dueScript, dueLua, "if settling then return {{}, {}} end", ""}, // what is found is looked at once more:
			{&expireScript, expireLua, "if settling then return reply end", ""},
		}},
		{"nor when they were lost since it found who is due", []edit{{&expireScript, expireLua, "if settling then return reply end", ""}}},
		{"a user is offline with the last lease", []edit{{&expireScript, expireLua, "if ends and ends > now then", "if false then"}}},
		{"only the newest change is confirmed", []edit{{&toldScript, toldLua, "if redis.call('HGET', KEYS[2], 'version') == ARGV[2] then", "if true then"}}},
		{"who was shown online and is lost is taken offline", []edit{{&missedScript, missedLua, "if online ~= told then", "if online ~= told and s[1] then"}}},
		{"a change that was lost is announced again", []edit{{&missedScript, missedLua, "tell(KEYS[3], user, 0)", ""}}},
		{"absence proves nothing to who asks while leases are written again", []edit{{&statusesScript, statusesLua, "if not settling then online = 0 end", "online = 0"}}},
		{"a change is announced by whoever takes the user offline", []edit{{&expireScript, expireLua, "if s[1] ~= '0' then", "if true then"}}},
		{"a change is brought up again until it is told", []edit{{&expireScript, expireLua, "tell(KEYS[3], user, ARGV[4])", ""}}},
		{"coming online is brought up again", []edit{{&usersScript, usersLua, "tell(untold, user, delay)\n        say(i, 'change', version)", "say(i, 'change', version)"}}},
		{"whoever holds a lease is looked at when it ends", []edit{{&usersScript, usersLua, "redis.call('ZADD', due, unpack(expiries))", ""}}},
		{"a goodbye leaves the grace", []edit{{&usersScript, usersLua, "local ends = now + ms\n  if not before", "local ends = now\n  if not before"}}},
		{"an invisible user is hidden", []edit{{&usersScript, usersLua, "redis.call('HSET', state, 'hidden', '1')", ""}}},
		{"hiding is going offline", []edit{{&usersScript, usersLua, "if news then", "if false then"}}},
		{"hiding without a gateway is going offline", []edit{{&hideScript, hideLua, "if s[1] == '1' or settling and not s[1] then", "if false then"}}},
		{"who shows themselves is hidden no more", []edit{{&usersScript, usersLua, "redis.call('HDEL', state, 'hidden')", ""}}},
	} {
		t.Run(broken.rule, func(t *testing.T) {
			for _, e := range broken.edits {
				if !strings.Contains(e.text, e.with) {
					t.Fatalf("the rule is not in the script: %q", e.with)
				}
				whole := *e.script
				defer func() { *e.script = whole }()
				*e.script = redis.NewScript(preludeLua + strings.ReplaceAll(e.text, e.with, e.without))
			}
			n := &noticing{T: t}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				rapid.Check(n, func(rt *rapid.T) { playModel(t, rt, m, client) })
			}()
			<-ended
			if n.failed == "" {
				t.Error("nothing was wrong in any history without this rule")
			}
			t.Log(n.failed)
		})
	}
}
