package presence

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/redis"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

// The same as the model, with nothing made up: gateways and presence processes that are processes, killed with SIGKILL at
// random, on a redis-server that is killed too and comes back empty. What was announced agrees in the end with
// who has a device, and on the way nobody with a device is told to be offline, and nothing is told twice.

const (
	childEnv  = "DOZAAR_TEST_PRESENCE_CHILD" // role and Redis's address, for this test binary started again
	killedTTL = 3 * time.Second
)

// said is what a child prints: a change to be announced, or that a command is done.
type said struct {
	Done   int
	Change *chat.PresenceChange
}

// child is a gateway or a presence process: this program again.
type child struct {
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	n     int
	done  chan int
	users map[chat.ID]bool // a gateway's
}

// TestChild is no test: it is what the children run.
func TestChild(t *testing.T) {
	role, addr, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		t.Skip("only for children of TestProcessesAreKilled")
	}
	client, err := redis.Open(redis.Config{Addrs: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex // of the output
	say := func(s said) error {
		mu.Lock()
		defer mu.Unlock()
		return json.NewEncoder(os.Stdout).Encode(s)
	}
	directory := NewDirectory(DirectoryConfig{Redis: client, TTL: killedTTL, Settle: killedTTL / 6})
	announce := func(ctx context.Context, c chat.PresenceChange) error {
		if err := say(said{Change: &c}); err != nil {
			return err
		}
		return directory.Told(ctx, c)
	}
	if role == "presence" {
		_ = NewSweeper(SweeperConfig{Redis: client, TTL: killedTTL, Settle: killedTTL / 6, Interval: 200 * time.Millisecond}, announce).Run(ctx)
		return
	}
	leases := NewLeases(LeasesConfig{Redis: client, Instance: role, TTL: killedTTL, Grace: killedTTL / 6, Settle: killedTTL / 6})
	go func() { _ = leases.Run(ctx) }()
	commands := bufio.NewScanner(os.Stdin)
	for n := 1; commands.Scan(); n++ {
		what, id, _ := strings.Cut(commands.Text(), " ")
		user, _ := chat.ParseID(id)
		if what == "leave" {
			_ = leases.Disconnect(ctx, user) // remembered, where Redis is away
		} else {
			changes, _ := leases.Connect(ctx, chat.Arrival{UserID: user, Visibility: chat.Visible})
			for _, c := range changes {
				_ = announce(ctx, c)
			}
		}
		_ = say(said{Done: n})
	}
}

// street is the processes and what they announced.
type street struct {
	t     *testing.T
	redis *redistest.Server
	boots int
	users []chat.ID

	mu       sync.Mutex
	versions map[chat.ID]int64
	online   map[chat.ID]bool // as told, by the newest version
	present  map[chat.ID]int  // devices, and those that are just leaving or coming
	unsure   bool             // Redis has forgotten something: to hear the same twice is no fault
	running  sync.WaitGroup
}

func (s *street) start(role string) *child {
	s.t.Helper()
	s.boots++
	c := &child{name: fmt.Sprint(role, s.boots), done: make(chan int, 1000), users: map[chat.ID]bool{}}
	if role == "presence" {
		c.name = role
	}
	c.cmd = exec.Command(os.Args[0], "-test.run=^TestChild$")
	c.cmd.Env = append(os.Environ(), childEnv+"="+c.name+" "+s.redis.Addr())
	in, err := c.cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	c.in = in
	s.running.Go(func() { // reads all that it says, also what it said just before it was killed
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var line said
			if json.Unmarshal(lines.Bytes(), &line) != nil {
				continue // the test framework's own
			}
			if line.Change != nil {
				s.heard(*line.Change)
			} else {
				c.done <- line.Done
			}
		}
		_ = c.cmd.Wait()
	})
	return c
}

func (c *child) kill() { _ = c.cmd.Process.Kill() }

// do gives a gateway a command and waits until it is done.
func (s *street) do(c *child, what string, user chat.ID) {
	s.t.Helper()
	c.n++
	if _, err := fmt.Fprintln(c.in, what, user); err != nil {
		s.t.Fatal(err)
	}
	for {
		select {
		case n := <-c.done:
			if n == c.n {
				return
			}
		case <-time.After(time.Minute):
			s.t.Fatalf("%s does not answer", c.name)
		}
	}
}

// heard takes an announcement, as a receiver does.
func (s *street) heard(c chat.PresenceChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Version <= s.versions[c.UserID] {
		return
	}
	if was, known := s.online[c.UserID]; known && was == c.Online && !s.unsure {
		s.t.Errorf("told twice: %+v", c)
	}
	if !c.Online && s.present[c.UserID] > 0 && !s.unsure {
		s.t.Errorf("told offline with a device connected: %+v", c)
	}
	s.versions[c.UserID], s.online[c.UserID] = c.Version, c.Online
}

func (s *street) move(user chat.ID, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present[user] += by
}

// settled waits until what was told is the truth, for a TTL and five seconds, and what a busy machine needs.
func (s *street) settled(when string) {
	s.t.Helper()
	wrong := func() (list []string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, user := range s.users {
			if s.online[user] != (s.present[user] > 0) {
				list = append(list, fmt.Sprintf("%s told %v, has %d devices", user, s.online[user], s.present[user]))
			}
		}
		return list
	}
	for end := time.Now().Add(killedTTL + 5*time.Second + 30*time.Second); len(wrong()) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s: %s", when, wrong())
		}
	}
	s.mu.Lock()
	s.unsure = false
	s.mu.Unlock()
}

func TestProcessesAreKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for a quarter of a minute")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := &street{
		t: t, redis: redistest.StartServer(t),
		versions: map[chat.ID]int64{}, online: map[chat.ID]bool{}, present: map[chat.ID]int{},
	}
	for range 20 {
		s.users = append(s.users, chat.NewID())
	}
	gateways := []*child{s.start("gateway"), s.start("gateway"), s.start("gateway")}
	presences := []*child{s.start("presence"), s.start("presence")}
	defer func() {
		for _, c := range append(gateways, presences...) {
			c.kill()
		}
		s.running.Wait()
	}()
	comeAndGo := func(n int) {
		for range n {
			c, user := gateways[random.IntN(len(gateways))], s.users[random.IntN(len(s.users))]
			if c.users[user] {
				delete(c.users, user)
				s.move(user, -1)
				s.do(c, "leave", user)
			} else {
				c.users[user] = true
				s.move(user, 1)
				s.do(c, "come", user)
			}
		}
	}
	crashGateway := func() {
		i := random.IntN(len(gateways))
		gateways[i].kill()
		for user := range gateways[i].users {
			s.move(user, -1)
		}
		gateways[i] = s.start("gateway")
	}
	crashPresence := func() {
		i := random.IntN(len(presences))
		presences[i].kill()
		presences[i] = s.start("presence")
	}
	comeAndGo(40)
	s.settled("at the start")
	for round := range 2 {
		comeAndGo(20)
		crashGateway()
		crashPresence()
		comeAndGo(20)
		if round%2 == 1 {
			crashPresence()
		}
		s.settled(fmt.Sprint("after crashes, round ", round))
		// Redis comes back empty. Who has a device is remembered by a gateway.
		s.mu.Lock()
		s.unsure = true
		s.mu.Unlock()
		s.redis.Kill()
		comeAndGo(3)
		s.redis.Restart()
		comeAndGo(10)
		time.Sleep(killedTTL + tellAfter) // in which things may be told again
		s.settled(fmt.Sprint("after Redis was empty, round ", round))
	}
}
