package notify

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// A lease outlives its gateway by minutes; the message would have waited unread, and nobody been called.
func TestWhoseGatewayHasDiedIsCalled(t *testing.T) {
	for name, c := range map[string]struct {
		at     []string
		living []string
		want   string
	}{
		"at one that died":           {[]string{"died"}, []string{"lives"}, "1"},
		"at two that died":           {[]string{"died", "died too"}, nil, "1"},
		"at one that died and lives": {[]string{"died", "lives"}, []string{"lives"}, ""},
		"at one that lives":          {[]string{"lives"}, []string{"lives"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t)
				s.at[s.sam], s.living = c.at, c.living
				s.attend(chat.Attendance{There: true, Came: time.Now().Add(-time.Hour)})
				s.faults["owners"], s.faults["gateways"] = 2, 2
				defer s.run(Config{})()
				s.send("x")
				time.Sleep(2 * time.Minute)
				s.want(c.want)
			})
		})
	}
}

// Redis may have lost the list of gateways a moment ago: they register again within a second or two.
func TestAGatewayThatIsMissedForAMomentIsNotDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		s.living = nil
		s.attend(chat.Attendance{There: true, Came: time.Now().Add(-time.Hour)})
		defer s.run(Config{})()
		s.send("x")
		time.Sleep(time.Minute + missedFor/2)
		s.want("")
		s.mu.Lock()
		s.living = []string{"lives"}
		s.mu.Unlock()
		time.Sleep(time.Hour)
		s.want("")
		if len(s.done) != 1 {
			t.Error("the message is still being looked at")
		}
	})
}
