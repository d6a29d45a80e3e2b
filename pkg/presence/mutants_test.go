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
		rule          string
		script        **redis.Script
		text          string
		with, without string
	}{
		{"absence proves nothing to who asks while leases are written again", &statusesScript, statusesLua, "if not settling then online = 0 end", "online = 0"},
		{"a change is announced by whoever takes the user offline", &expireScript, expireLua, "if s[1] ~= '0' then", "if true then"},
		{"a change is brought up again until it is told", &expireScript, expireLua, "tell(KEYS[3], user, ARGV[4])", ""},
		{"coming online is brought up again", &usersScript, usersLua, "tell(untold, user, delay)\n        say(i, 'change', version)", "say(i, 'change', version)"},
		{"whoever holds a lease is looked at when it ends", &usersScript, usersLua, "redis.call('ZADD', due, unpack(expiries))", ""},
		{"a goodbye leaves the grace", &usersScript, usersLua, "local ends = now + ms\n  if not before", "local ends = now\n  if not before"},
		{"an invisible user is hidden", &usersScript, usersLua, "redis.call('HSET', state, 'hidden', '1')", ""},
		{"hiding is going offline", &usersScript, usersLua, "if news then", "if false then"},
		{"hiding without a gateway is going offline", &hideScript, hideLua, "if s[1] == '1' or settling and not s[1] then", "if false then"},
		{"who shows themselves is hidden no more", &usersScript, usersLua, "redis.call('HDEL', state, 'hidden')", ""},
	} {
		t.Run(broken.rule, func(t *testing.T) {
			if !strings.Contains(broken.text, broken.with) {
				t.Fatalf("the rule is not in the script: %q", broken.with)
			}
			whole := *broken.script
			defer func() { *broken.script = whole }()
			*broken.script = redis.NewScript(preludeLua + strings.ReplaceAll(broken.text, broken.with, broken.without))
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
