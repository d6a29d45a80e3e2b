package presence

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

// The model: users with devices at gateways, which are all that is true. Whatever happens (devices come
// and go, gateways and sweepers crash, announcements are lost, Redis is away or forgets), what Redis
// says and what was announced must agree with it in the end, and must never be wrong in the ways that
// are promised on the way: nobody is told twice, offline within the grace or with a device, online who is invisible; and
// while nothing goes wrong, whoever came or went is told so within a TTL and five seconds.
//
// Whoever is told is a gateway with others' sockets: when Redis has forgotten, or was away, it says what it was told (Missed).
//
// Not in the model, because not promised: Redis losing its data while it alone knew that somebody had come of whom nobody was
// ever told.
type model struct {
	*world
	t    *rapid.T
	mini *redistest.Mini

	users    []chat.ID
	names    []string
	boots    int
	devices  map[string]map[chat.ID]bool // by gateway
	hidden   map[chat.ID]bool            // users who are invisible
	gone     map[chat.ID]time.Time       // when the last device went
	left     map[chat.ID]bool            // it said goodbye
	calm     time.Time                   // since when nothing has gone wrong
	second   *Sweeper                    // of another presence process
	away     bool                        // Redis answers nothing
	lossy    bool                        // announcements fail
	slow     bool                        // announcements are confirmed late
	late     []chat.PresenceChange       // told, and not confirmed yet
	unheard  map[chat.ID]bool            // users who came while Redis was away, and of whom it does not know yet
	doubted  []chat.PresenceChange       // what was told before there was trouble, and is to be looked at again
	versions map[chat.ID]int64           // of the newest change known
	online   map[chat.ID]bool            // as told, by the newest version
	blurred  map[chat.ID]bool            // Redis forgot, or an announcement was lost: hearing the same twice is no fault
}

func TestModel(t *testing.T) {
	// A history takes seconds, most of it in Lua; for more of them say -rapid.checks.
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("10")
		t.Cleanup(func() { _ = f.Value.Set(f.DefValue) })
	}
	m := redistest.StartMini(t)
	client := redistest.Unhurried(t, m)
	rapid.Check(t, func(rt *rapid.T) { playModel(t, rt, m, client) })
}

// playModel plays one history.
func playModel(t testing.TB, rt *rapid.T, m *redistest.Mini, client redis.UniversalClient) {
	m.SetError("")
	m.FlushAll()
	w := &model{
		world:   &world{t: t, client: client, ttl: 30 * time.Second, now: m.Now, move: m.Advance, gateways: map[string]*Leases{}},
		t:       rt,
		mini:    m,
		devices: map[string]map[chat.ID]bool{}, hidden: map[chat.ID]bool{}, gone: map[chat.ID]time.Time{}, left: map[chat.ID]bool{}, versions: map[chat.ID]int64{}, online: map[chat.ID]bool{}, blurred: map[chat.ID]bool{}, unheard: map[chat.ID]bool{},
	}
	for i := range 3 {
		w.users = append(w.users, chat.ID{15: byte(i + 1)})
		w.boot()
	}
	w.sweeper, w.second = w.newSweeper(), w.newSweeper()
	w.calm = w.now()
	w.passTime(w.settle() + w.unit())
	rt.Repeat(map[string]func(*rapid.T){
		"connect":    w.connectOne,
		"disconnect": w.disconnectOne,
		"crash":      w.crashOne,
		"hide":       w.hideOne,
		"time":       func(rt *rapid.T) { w.passTime(w.units(rt, 20)) },
		"unswept":    w.unswept,
		"lossy":      func(*rapid.T) { w.lossy = !w.lossy; w.disturbed() },
		"slow":       func(*rapid.T) { w.slow = !w.slow; w.confirm() },
		"race":       w.race,
		"outage":     w.outage,
		"forget":     w.forget,
	})
	w.end()
}

// disturbed notes that something goes wrong now.
func (w *model) disturbed() { w.calm = w.now() }

// goneNow notes that a user's last device has gone, if it has.
func (w *model) goneNow(user chat.ID, goodbye bool) {
	if !w.connected(user) {
		w.gone[user], w.left[user] = w.now(), goodbye
	}
}

// newSweeper hides world's: its announcements are judged, and may be lost.
func (w *model) newSweeper() *Sweeper {
	return NewSweeper(SweeperConfig{Redis: w.client, TTL: w.ttl, Settle: w.settle()},
		func(_ context.Context, c chat.PresenceChange) error {
			if w.lossy {
				w.blurred[c.UserID] = true
				return errors.New("lost")
			}
			return w.tell(c)
		})
}

// tell judges an announcement, as receivers would see it, and confirms it.
func (w *model) tell(c chat.PresenceChange) error {
	if c.Version > w.versions[c.UserID] {
		before, known := w.online[c.UserID]
		if known && before == c.Online && !w.blurred[c.UserID] {
			w.t.Fatalf("told twice: %+v", c)
		}
		if !c.Online && w.visible(c.UserID) && !w.unheard[c.UserID] {
			w.t.Fatalf("told offline with a device connected: %+v", c)
		}
		if at, ok := w.gone[c.UserID]; ok && !c.Online && w.left[c.UserID] && !w.hidden[c.UserID] && !w.blurred[c.UserID] && w.now().Sub(at) < w.grace()-time.Millisecond {
			w.t.Fatalf("told offline within the grace: %+v", c)
		}
		if c.Online && w.hidden[c.UserID] {
			w.t.Fatalf("told online though invisible: %+v", c)
		}
		delete(w.blurred, c.UserID)
		w.versions[c.UserID], w.online[c.UserID] = c.Version, c.Online
	}
	w.late = append(w.late, c)
	w.confirm()
	return nil
}

// confirm confirms what was told, unless that is slow.
func (w *model) confirm() {
	if w.slow || w.away {
		return
	}
	for _, c := range w.late {
		if err := w.directory().Told(context.Background(), c); err != nil {
			w.t.Fatal(err)
		}
	}
	w.late = nil
}

func (w *model) connected(user chat.ID) bool {
	for _, at := range w.devices {
		if at[user] {
			return true
		}
	}
	return false
}

// visible tells whether others are to see the user as online.
func (w *model) visible(user chat.ID) bool { return w.connected(user) && !w.hidden[user] }

// hideOne has a user hide, or show themselves again: every gateway where they are is told.
func (w *model) hideOne(rt *rapid.T) {
	_, user := w.pick(rt)
	if w.away && !w.connected(user) {
		rt.Skip("it is not done, and said so")
	}
	w.blurUntold()
	w.hidden[user] = !w.hidden[user]
	if w.hidden[user] && !w.away {
		if err := w.directory().Hide(context.Background(), user); err != nil {
			rt.Fatal(err)
		}
	}
	for _, name := range w.names {
		if w.devices[name][user] {
			w.arrive(rt, name, user)
		}
	}
}

// arrive writes a user's lease as they wish to be seen.
func (w *model) arrive(rt *rapid.T, name string, user chat.ID) {
	visibility := chat.Visible
	if w.hidden[user] {
		visibility = chat.Invisible
	}
	changes, err := w.gateways[name].Connect(context.Background(), chat.Arrival{UserID: user, Visibility: visibility})
	if (err != nil) != w.away {
		rt.Fatalf("connect: %v", err)
	}
	for _, change := range changes {
		if w.lossy {
			w.blurred[user] = true
		} else if err := w.tell(change); err != nil {
			rt.Fatal(err)
		}
	}
}

func (w *model) units(rt *rapid.T, most int) time.Duration {
	return time.Duration(rapid.IntRange(1, most).Draw(rt, "units")) * w.unit()
}

// boot starts a gateway, or starts one again, as another instance.
func (w *model) boot() {
	w.boots++
	name := fmt.Sprintf("gateway-%d", w.boots)
	w.gateway(name)
	w.devices[name] = map[chat.ID]bool{}
	w.names = append(w.names, name)
}

func (w *model) pick(rt *rapid.T) (string, chat.ID) {
	return rapid.SampledFrom(w.names).Draw(rt, "gateway"), rapid.SampledFrom(w.users).Draw(rt, "user")
}

func (w *model) connectOne(rt *rapid.T) {
	name, user := w.pick(rt)
	if w.devices[name][user] {
		rt.Skip("connected already")
	}
	w.connect(rt, name, user)
}

func (w *model) connect(rt *rapid.T, name string, user chat.ID) {
	w.devices[name][user] = true
	if w.away {
		w.unheard[user] = true
	}
	w.arrive(rt, name, user)
}

func (w *model) disconnectOne(rt *rapid.T) {
	name, user := w.pick(rt)
	if !w.devices[name][user] {
		rt.Skip("not connected")
	}
	delete(w.devices[name], user)
	w.goneNow(user, true)
	w.blurUntold()
	if err := w.gateways[name].Disconnect(context.Background(), user); (err != nil) != w.away {
		rt.Fatalf("disconnect: %v", err)
	}
}

func (w *model) crashOne(rt *rapid.T) {
	i := rapid.IntRange(0, len(w.names)-1).Draw(rt, "gateway")
	name := w.names[i]
	had := w.devices[name]
	delete(w.gateways, name)
	delete(w.devices, name)
	for user := range had {
		w.goneNow(user, false)
	}
	w.blurUntold()
	w.names = append(w.names[:i], w.names[i+1:]...)
	w.boot()
}

func (w *model) unswept(rt *rapid.T) {
	first, second := w.sweeper, w.second
	w.sweeper, w.second = nil, nil
	w.passTime(w.units(rt, 20))
	w.sweeper, w.second = first, second
	w.disturbed()
	w.passTime(w.unit())
}

// race has users come back after a sweeper has found that their leases are over, and before it does anything about it; in between
// Redis may be out of reach, and not know yet that they came.
func (w *model) race(rt *rapid.T) {
	if w.away {
		rt.Skip("it finds nobody")
	}
	w.move(w.units(rt, 4))
	all := make([]int, shards)
	for shard := range all {
		all[shard] = shard
	}
	found, err := w.sweeper.due(context.Background(), all)
	if err != nil {
		rt.Fatal(err)
	}
	cut := rapid.Bool().Draw(rt, "cut")
	if cut {
		w.away = true
		w.mini.SetError("ERR away")
		w.disturbed()
	}
	for _, f := range found {
		for _, over := range f.over {
			user, _ := chat.ParseID(over)
			name := rapid.SampledFrom(w.names).Draw(rt, "gateway")
			if !w.devices[name][user] {
				w.connect(rt, name, user)
			}
		}
	}
	if cut {
		w.move(gapFor(w.ttl) + w.unit())
		w.away = false
		w.mini.SetError("")
		w.doubt()
		clear(w.unheard) // after so long an absence nobody is taken offline before Redis has heard of them
	}
	for _, f := range found {
		if err := errors.Join(w.sweeper.expire(context.Background(), f.shard, f.over), w.sweeper.retell(context.Background(), f.shard, f.untold)); err != nil {
			rt.Fatal(err)
		}
	}
	w.passTime(w.unit())
}

// outage begins or ends a time in which Redis answers nothing, though its clock goes on.
func (w *model) outage(*rapid.T) {
	w.away = !w.away
	w.disturbed()
	if w.away {
		w.mini.SetError("ERR away")
	} else {
		w.mini.SetError("")
		w.doubt()
		w.passTime(w.unit())
	}
}

// doubt has looked again at what was told.
func (w *model) doubt() {
	w.doubted = nil
	for user, version := range w.versions {
		w.doubted = append(w.doubted, chat.PresenceChange{UserID: user, Online: w.online[user], Version: version})
	}
}

func (w *model) forget(rt *rapid.T) {
	for user := range w.untold() {
		if w.connected(user) && w.versions[user] == 0 {
			rt.Skip("Redis alone knows that something is to be told")
		}
	}
	w.move(time.Millisecond) // generations are told apart by the ms
	w.mini.FlushAll()
	w.doubt()
	w.disturbed()
	for _, user := range w.users {
		w.blurred[user] = true
	}
	if !w.away {
		for user, s := range w.statuses() {
			if word := statusWord(s); word != "unknown" {
				rt.Fatalf("%s is %s right after Redis has forgotten", user, word)
			}
		}
	}
}

// blurUntold allows for users who go before it was told that they came: they are told to be offline, as
// they were before.
func (w *model) blurUntold() {
	for user := range w.untold() {
		w.blurred[user] = true
	}
}

func (w *model) untold() map[chat.ID]bool {
	users := map[chat.ID]bool{}
	for _, user := range w.users {
		if _, err := w.mini.ZScore(untoldKey(shardOf(user)), user.String()); err == nil {
			users[user] = true
		}
	}
	return users
}

func (w *model) statuses() map[chat.ID]chat.PresenceStatus {
	s, err := w.directory().Statuses(context.Background(), w.users, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// passTime lets time go by for all, then checks what must hold at any time.
func (w *model) passTime(d time.Duration) {
	for end := w.now().Add(d); w.now().Before(end); {
		w.move(min(4*w.unit(), end.Sub(w.now())))
		w.sweep(w.second) // one comes before the heartbeats, one after them
		for _, name := range w.names {
			if _, err := w.gateways[name].beat(context.Background()); (err != nil) != w.away {
				w.t.Fatalf("heartbeat: %v", err)
			}
		}
		if !w.away {
			clear(w.unheard)
			var err error
			if w.doubted, err = w.directory().Missed(context.Background(), w.doubted); err != nil {
				w.t.Fatal(err)
			}
		}
		w.sweep(w.sweeper)
		w.confirm()
	}
	if w.away {
		return
	}
	w.onTime()
	for user, s := range w.statuses() {
		switch word := statusWord(s); {
		case w.visible(user) && word != "online":
			w.t.Fatalf("%s has a device and is %s", user, word)
		case w.hidden[user] && w.connected(user) && word == "online":
			w.t.Fatalf("%s is invisible and seen", user)
		}
	}
}

func (w *model) sweep(s *Sweeper) {
	if s == nil {
		return
	}
	if err := s.sweep(context.Background()); (err != nil) != w.away {
		w.t.Fatalf("sweep: %v", err)
	}
}

// onTime holds what was told against the truth, as far as that is old enough and nothing went wrong.
func (w *model) onTime() {
	if w.lossy || w.sweeper == nil {
		return
	}
	for user, at := range w.gone {
		since := at
		if healed := w.calm.Add(w.settle() + tellAgain); healed.After(since) {
			since = healed
		}
		if !w.connected(user) && w.online[user] && w.now().Sub(since) > w.ttl+5*w.unit() {
			w.t.Fatalf("%s went %s ago, and others see them online", user, w.now().Sub(at))
		}
	}
	for _, user := range w.users {
		if w.visible(user) && !w.online[user] && w.now().Sub(w.calm) > w.ttl+w.settle()+tellAgain+5*w.unit() {
			w.t.Fatalf("%s is there, and others see them offline", user)
		}
	}
}

// end lets everything heal, then compares with the truth.
func (w *model) end() {
	w.lossy, w.slow = false, false
	if w.away {
		w.outage(nil)
	}
	w.passTime(w.ttl + w.settle() + w.grace() + tellAgain + 3*w.unit())
	statuses := w.statuses()
	for _, user := range w.users {
		want := w.visible(user)
		if told := w.online[user]; told != want {
			w.t.Fatalf("%s: told online %v, is %v", user, told, want)
		}
		if got := statusWord(statuses[user]); got != map[bool]string{true: "online", false: "offline"}[want] {
			w.t.Fatalf("%s: status %s, connected %v", user, got, want)
		}
	}
	for name, g := range w.gateways {
		if have, want := len(g.table.leases), len(w.devices[name]); have != want {
			w.t.Fatalf("%s holds %d leases for %d devices", name, have, want)
		}
	}
}
