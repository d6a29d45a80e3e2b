package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAGatewayDies kills a gateway, and with it one of two presence processes. Who was there alone is told to be offline,
// once; who came back at another gateway in time, or has a device there, is nobody's news.
func TestAGatewayDies(t *testing.T) {
	if !realEngines() {
		t.Skip("of one process no gateway dies alone: run `make test-engines`")
	}
	const ttl = 6 * time.Second
	extra := []string{"DOZAAR_PRESENCE_TTL=" + ttl.String()}
	p := roles(t, 2, 1, nil, extra)
	p.presences = append(p.presences, newProcess(t, []string{"presence"}, append(engineSettings(), extra...)...))
	p.run()
	stays, dies := p.gateways[0], p.gateways[1]
	watcher, gone, moved, both, mark := newPerson("Watcher"), newPerson("Gone"), newPerson("Moved"), newPerson("Both"), newPerson("Mark")
	stays.conversation(watcher, gone, moved, both, mark)
	connect := func(at *process, who person) *peer {
		t.Helper()
		c := at.connect(who)
		t.Cleanup(c.close)
		c.readAhead()
		return c
	}
	w := connect(stays, watcher)
	news := func(event string, who person) string {
		return fmt.Sprintf(`42/chat,["user:%s",{"userId":%q`, event, who.ID)
	}
	for _, who := range []person{gone, moved, both} {
		connect(dies, who)
		w.until(news("online", who))
	}
	connect(stays, both)

	dies.kill()
	p.presences[0].kill()
	connect(stays, moved)
	w.until(news("offline", gone))
	time.Sleep(ttl) // for whatever comes late
	dies.run()
	p.presences[0].run()
	connect(dies, gone)
	w.until(news("online", gone))
	connect(stays, mark)
	w.until(news("online", mark))

	for who, want := range map[person][]string{gone: {"online", "offline", "online"}, moved: {"online"}, both: {"online"}} {
		var told []string
		for _, packet := range w.log {
			for _, event := range []string{"online", "offline"} {
				if strings.HasPrefix(packet, news(event, who)) {
					told = append(told, event)
				}
			}
		}
		if !slices.Equal(told, want) {
			t.Errorf("of %s was told %v, want %v", who.Username, told, want)
		}
	}
	asked, err := json.Marshal(object{"userIds": []string{gone.ID, moved.ID, both.ID, newPerson("Nobody").ID}})
	if err != nil {
		t.Fatal(err)
	}
	if answer := w.ask("get:online_status", string(asked)); !answer.OK {
		t.Fatalf("%+v", answer)
	}
	said := w.log[len(w.log)-1]
	if strings.Count(said, `"online":true`) != 3 || strings.Count(said, `"online":false`) != 1 {
		t.Errorf("at the end the three are said to be %s", said)
	}
}
