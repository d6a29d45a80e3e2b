package notify

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/store/storetest"
	"github.com/dozaar/dozaar/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is everything around Due: messages are what the log has, in its order; their values are their places in it.
type shop struct {
	t     *testing.T
	store *storetest.Memory
	bea   chat.User
	sam   chat.ID
	room  chat.ID

	mu         sync.Mutex
	messages   []chat.Message
	attendance map[chat.ID]chat.Attendance
	at         map[chat.ID][]string // gateways with a lease of the user; who is there is else at "lives"
	living     []string             // gateways
	faults     map[string]int       // so often each step fails
	made       []chat.Notification
	done       []int64
	feed       chan kafka.Record
}

func newShop(t *testing.T) *shop {
	s := &shop{
		t: t, store: storetest.NewMemory(), bea: chat.User{ID: chat.NewID(), Username: "Bea"}, sam: chat.NewID(),
		attendance: map[chat.ID]chat.Attendance{}, at: map[chat.ID][]string{}, living: []string{"lives"}, faults: map[string]int{}, feed: make(chan kafka.Record, 1000),
	}
	s.room = s.conversation(s.bea.ID, s.sam)
	return s
}

func (s *shop) conversation(users ...chat.ID) chat.ID {
	c := chat.Conversation{ID: chat.NewID(), Revision: 1, CreatedAt: time.Now()}
	for _, u := range users {
		c.Members = append(c.Members, chat.Member{UserID: u, Username: "x"})
	}
	if _, _, err := s.store.CreateConversation(context.Background(), c); err != nil {
		s.t.Fatal(err)
	}
	return c.ID
}

// run runs Due on what is sent, until the test ends or stop is called.
func (s *shop) run(cfg Config) (stop func()) {
	cfg.Store, cfg.Directory, cfg.Publisher, cfg.Decoder = faulty{s.store, s}, s, s, s
	d := NewDue(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Worker(schemas.TopicMessages, 0).Run(ctx, s) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	s.t.Cleanup(stop)
	return stop
}

// Take gives one record.
func (s *shop) Take(ctx context.Context) ([]kafka.Record, error) {
	select {
	case r := <-s.feed:
		all := []kafka.Record{r}
		for len(s.feed) > 0 {
			all = append(all, <-s.feed)
		}
		return all, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *shop) Done(positions ...chat.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range positions {
		s.done = append(s.done, p.Offset)
	}
}

// send publishes a message and stores it, as deliver does.
func (s *shop) send(text string) chat.Message { return s.store1(s.publish(s.room, text)) }

func (s *shop) publish(room chat.ID, text string) (chat.Message, chat.Position) {
	m := chat.Draft{Text: text}.New(room, s.bea, time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	p := chat.Position{Offset: int64(len(s.messages))}
	s.messages = append(s.messages, m)
	s.feed <- s.record(p.Offset, m)
	return m, p
}

func (s *shop) record(offset int64, m chat.Message) kafka.Record {
	return kafka.Record{
		Topic: schemas.TopicMessages, Position: chat.Position{Offset: offset}, Key: []byte(m.ConversationID.String()),
		Value: fmt.Append(nil, offset), Time: m.CreatedAt,
	}
}

func (s *shop) store1(m chat.Message, p chat.Position) chat.Message {
	ctx := context.Background()
	heads, _ := s.store.Heads(ctx, []chat.ID{m.ConversationID})
	m.Seq = heads[m.ConversationID].Seq + 1
	if err := s.store.PutMessages(ctx, []chat.StoredMessage{{Message: m, Position: p}}); err != nil {
		s.t.Fatal(err)
	}
	if err := s.store.PutHeads(ctx, []chat.Head{{ConversationID: m.ConversationID, Seq: m.Seq, Position: p, ActivityAt: m.CreatedAt}}); err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (s *shop) read(seq int64) {
	if err := s.store.PutReadMarks(context.Background(), []chat.ReadMark{{ConversationID: s.room, UserID: s.sam, Seq: seq}}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) DecodeMessage(value []byte) (chat.Message, error) {
	var offset int
	if _, err := fmt.Sscan(string(value), &offset); err != nil {
		return chat.Message{}, fmt.Errorf("%q: %w", value, schemas.ErrPoison)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages[offset], nil
}

func (s *shop) Attendances(_ context.Context, users []chat.ID) (map[chat.ID]chat.Attendance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[chat.ID]chat.Attendance{}
	for _, u := range users {
		found[u] = s.attendance[u]
	}
	return found, s.fault("attendances")
}

func (s *shop) Owners(_ context.Context, users, _ []chat.ID) (byUser, byConversation map[chat.ID][]string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byUser = map[chat.ID][]string{}
	for _, u := range users {
		if byUser[u] = s.at[u]; byUser[u] == nil && s.attendance[u].There {
			byUser[u] = []string{"lives"}
		}
	}
	return byUser, nil, s.fault("owners")
}

func (s *shop) Gateways(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.living, s.fault("gateways")
}

// fault answers an error so often as was asked for. s.mu is held.
func (s *shop) fault(step string) error {
	if s.faults[step] > 0 {
		s.faults[step]--
		return chat.ErrUnavailable
	}
	return nil
}

func (s *shop) PublishNotification(_ context.Context, n chat.Notification) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fault("publish"); err != nil {
		return err
	}
	s.made = append(s.made, n)
	return nil
}

// faulty is the store, with faults.
type faulty struct {
	*storetest.Memory
	s *shop
}

func (f faulty) ReadSeqs(ctx context.Context, c chat.ID, users []chat.ID) (map[chat.ID]int64, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if err := f.s.fault("read_seqs"); err != nil {
		return nil, err
	}
	return f.Memory.ReadSeqs(ctx, c, users)
}

func (f faulty) PutCalled(ctx context.Context, calls []chat.Call) error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if err := f.s.fault("put_called"); err != nil {
		return err
	}
	return f.Memory.PutCalled(ctx, calls)
}

func (s *shop) attend(a chat.Attendance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attendance[s.sam] = a
}

// called are the seqs of what was made, in order.
func (s *shop) called() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, n := range s.made {
		list = append(list, fmt.Sprint(n.Seq))
	}
	return strings.Join(list, " ")
}

func (s *shop) want(want string) {
	s.t.Helper()
	if got := s.called(); got != want {
		s.t.Errorf("called for %q, want %q", got, want)
	}
}

func TestAMemberWhoIsAwayIsCalledOnceInAStretch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		defer s.run(Config{})()
		m := s.send("Is it still there? " + strings.Repeat("x", 100))
		time.Sleep(59 * time.Second)
		s.want("")
		time.Sleep(time.Second)
		s.want("1")
		n := s.made[0]
		if n.ID != chat.NotificationID(m.ID, s.sam) || n.UserID != s.sam || n.MessageID != m.ID || n.Sender != s.bea || n.Preview != m.Preview() ||
			n.Unread != 1 || !n.SentAt.Equal(m.CreatedAt) || n.At.Sub(n.SentAt) != time.Minute {
			t.Errorf("made %+v of %+v", n, m)
		}
		s.send("hello?")
		s.send("??")
		time.Sleep(time.Hour)
		s.want("1")
		s.read(2) // a new stretch: 3 is unread, and was looked at
		s.send("are you there")
		time.Sleep(time.Minute)
		s.want("1 4")
		if unread := s.made[1].Unread; unread != 2 {
			t.Errorf("%d unread", unread)
		}
		s.read(4)
		s.send("well")
		s.read(5)
		time.Sleep(time.Minute)
		s.want("1 4")
		if len(s.done) != 5 {
			t.Errorf("%d of 5 are done", len(s.done))
		}
	})
}

func TestWhoIsThereOrCameOrHasReadOrMutedIsNotCalled(t *testing.T) {
	for name, arrange := range map[string]func(*shop, chat.Message){
		"online":              func(s *shop, _ chat.Message) { s.attend(chat.Attendance{There: true}) },
		"came, and left":      func(s *shop, m chat.Message) { s.attend(chat.Attendance{Came: m.CreatedAt.Add(time.Second)}) },
		"came as it was sent": func(s *shop, m chat.Message) { s.attend(chat.Attendance{Came: m.CreatedAt}) },
		"read":                func(s *shop, m chat.Message) { s.read(m.Seq) },
		"muted": func(s *shop, m chat.Message) {
			if err := s.store.PutMuted(context.Background(), s.sam, m.ConversationID, true); err != nil {
				s.t.Fatal(err)
			}
		},
		"erased": func(s *shop, _ chat.Message) {
			if err := s.store.Erase(context.Background(), s.bea.ID, time.Now(), func(chat.ErasedPart) error { return nil }); err != nil {
				s.t.Fatal(err)
			}
		},
		"removed": func(s *shop, m chat.Message) {
			if _, err := s.store.RemoveMember(context.Background(), m.ConversationID, s.sam); err != nil {
				s.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t)
				defer s.run(Config{})()
				m := s.send("x")
				time.Sleep(30 * time.Second)
				arrange(s, m)
				time.Sleep(time.Hour)
				s.want("")
				if len(s.done) != 1 {
					t.Errorf("%d done", len(s.done))
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // and who left before is
		s := newShop(t)
		defer s.run(Config{})()
		s.attend(chat.Attendance{Came: time.Now().Add(-time.Second)})
		s.send("x")
		time.Sleep(time.Minute)
		s.want("1")
	})
}

// Told to repeat, it calls again in the same stretch, after that time and with the next message.
func TestRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		defer s.run(Config{Repeat: 10 * time.Minute})()
		for range 25 {
			s.send("x")
			time.Sleep(time.Minute)
		}
		s.want("1 11 21")
	})
}

// Each step is tried until it works, and nothing is made twice by it.
func TestStepsThatFailAreRepeated(t *testing.T) {
	for _, step := range []string{"attendances", "read_seqs", "publish", "put_called"} {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t)
				s.faults[step] = 7
				defer s.run(Config{})()
				s.send("x")
				s.send("y")
				time.Sleep(5 * time.Minute)
				s.want("1")
				if s.faults[step] != 0 || len(s.done) != 2 {
					t.Errorf("%d faults are left, %d done", s.faults[step], len(s.done))
				}
			})
		})
	}
}

// A crash between the record and the memory of it makes it again, with the same id.
func TestAfterACrashANotificationHasTheSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		s.faults["put_called"] = 1_000
		stop := s.run(Config{})
		m := s.send("x")
		time.Sleep(2 * time.Minute)
		stop()
		s.mu.Lock()
		s.faults["put_called"] = 0
		s.feed <- s.record(0, m)
		s.mu.Unlock()
		defer s.run(Config{})()
		time.Sleep(time.Minute)
		s.want("1 1")
		if s.made[0].ID != s.made[1].ID {
			t.Errorf("ids %s, %s", s.made[0].ID, s.made[1].ID)
		}
		s.feed <- s.record(0, m) // read again after it was remembered
		time.Sleep(time.Minute)
		s.want("1 1")
	})
}

// A message that deliver has not stored is waited for, and passed over when that takes too long; those behind it go on.
func TestWaitsForDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		defer s.run(Config{})()
		m, p := s.publish(s.room, "x")
		time.Sleep(30 * time.Minute)
		s.want("")
		s.store1(m, p)
		time.Sleep(time.Minute)
		s.want("1")
		s.publish(s.conversation(s.bea.ID, chat.NewID()), "never stored")
		time.Sleep(30 * time.Minute)
		s.read(1)
		s.send("behind it")
		time.Sleep(35 * time.Minute)
		s.want("1 2")
		if len(s.done) != 3 {
			t.Errorf("%d done", len(s.done))
		}
	})
}

// What cannot be read, a retry, a conflict, and a conversation that is not there call nobody and hold nothing up.
func TestWhatCallsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		defer s.run(Config{})()
		m, p := s.publish(s.room, "x")
		s.store1(m, p)
		s.read(1)
		again := m
		again.Text = "another body"
		s.mu.Lock()
		s.messages = append(s.messages, m, again, chat.Message{})
		for i := 1; i < 4; i++ {
			s.feed <- s.record(int64(i), s.messages[i])
		}
		poison := s.record(4, m)
		poison.Value = []byte("poison")
		s.feed <- poison
		misplaced := s.record(0, m)
		misplaced.Key, misplaced.Position.Offset = []byte("x"), 5
		s.feed <- misplaced
		s.messages = append(s.messages, chat.Message{}, chat.Message{})
		s.mu.Unlock()
		nowhere, p := s.publish(chat.NewID(), "nowhere")
		s.store1(nowhere, p)
		ahead := s.record(0, m) // a clock that is ahead waits no longer than others
		ahead.Position.Offset, ahead.Time = 8, time.Now().Add(24*time.Hour)
		s.feed <- ahead
		time.Sleep(3 * time.Minute)
		s.want("")
		if len(s.done) != 8 {
			t.Errorf("done: %v", s.done)
		}
	})
}

// Everybody who is away is called, and nobody is forgotten in a large conversation.
func TestALargeConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		users := []chat.ID{s.bea.ID}
		for i := range 350 {
			users = append(users, chat.NewID())
			if i%2 == 0 {
				s.attendance[users[i+1]] = chat.Attendance{There: true}
			}
		}
		s.room = s.conversation(users...)
		defer s.run(Config{})()
		s.send("x")
		time.Sleep(time.Minute)
		synctest.Wait()
		seen := map[chat.ID]int{}
		for _, n := range s.made {
			seen[n.UserID]++
		}
		if len(seen) != 175 || len(s.made) != 175 {
			t.Errorf("%d calls of %d users", len(s.made), len(seen))
		}
	})
}
