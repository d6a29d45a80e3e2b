package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

var hookSecret = []byte("a secret of at least thirty-two bytes")

// hook is the marketplace's end, which answers by a script and keeps what it was sent.
type hook struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	script []int // statuses, the last one for ever
	posts  []post
	dead   []kafka.Record
	whys   []string
	notes  map[string]chat.Notification
}

type post struct {
	header http.Header
	body   []byte
}

func newHook(t *testing.T, script ...int) *hook {
	h := &hook{t: t, script: script, notes: map[string]chat.Notification{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.posts = append(h.posts, post{r.Header, body})
		status := h.script[min(len(h.posts), len(h.script))-1]
		switch status {
		case http.StatusFound:
			w.Header().Set("Location", h.URL+"/elsewhere")
		case http.StatusTooManyRequests:
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) DecodeNotification(value []byte) (chat.Notification, error) {
	n, ok := h.notes[string(value)]
	if !ok {
		return n, schemas.ErrPoison
	}
	return n, nil
}

func (h *hook) DeadLetter(_ context.Context, r kafka.Record, why error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead, h.whys = append(h.dead, r), append(h.whys, why.Error())
	return nil
}

// take has the webhook's worker process the notifications, and returns when they are done.
func (h *hook) take(cfg WebhookConfig, notes ...chat.Notification) {
	h.t.Helper()
	cfg.URL, cfg.Secret, cfg.DeadLetters, cfg.Decoder = h.URL+"/hook?key=of-the-marketplace", hookSecret, h, h
	w := NewWebhook(cfg)
	defer w.Close()
	s := &shop{feed: make(chan kafka.Record, len(notes))}
	for i, n := range notes {
		key := fmt.Sprint(i)
		if n.ID != (chat.ID{}) {
			h.notes[key] = n
		}
		s.feed <- kafka.Record{Topic: schemas.TopicNotifications, Position: chat.Position{Offset: int64(i)}, Value: []byte(key)}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.Worker(schemas.TopicNotifications, 0).Run(ctx, s) }()
	for ctx.Err() == nil {
		s.mu.Lock()
		done := len(s.done)
		s.mu.Unlock()
		if done == len(notes) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-ended
	if len(s.done) != len(notes) {
		h.t.Fatalf("%d of %d are done", len(s.done), len(notes))
	}
}

func note() chat.Notification {
	at := time.Now().UTC().Truncate(time.Millisecond)
	return chat.Notification{
		ID: chat.NewID(), UserID: chat.NewID(), ConversationID: chat.NewID(), MessageID: chat.NewID(), Seq: 7,
		Sender: chat.User{ID: chat.NewID(), Username: "Bea <b>"}, Preview: "Grüße 👋", Unread: 2, SentAt: at.Add(-time.Minute), At: at,
	}
}

// Whoever has the secret can tell that the post is ours, whole and of now.
func TestAPostIsSigned(t *testing.T) {
	h := newHook(t, http.StatusNoContent)
	n := note()
	h.take(WebhookConfig{}, n)
	if len(h.posts) != 1 || len(h.dead) != 0 {
		t.Fatalf("%d posts, %d dead", len(h.posts), len(h.dead))
	}
	p := h.posts[0]
	id, at := p.header.Get("webhook-id"), p.header.Get("webhook-timestamp")
	mac := hmac.New(sha256.New, hookSecret)
	mac.Write([]byte(id + "." + at + "." + string(p.body)))
	if got, want := p.header.Get("webhook-signature"), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("signature %q, want %q", got, want)
	}
	if seconds, err := strconv.ParseInt(at, 10, 64); err != nil || time.Since(time.Unix(seconds, 0)).Abs() > time.Minute {
		t.Errorf("timestamp %q", at)
	}
	var got map[string]any
	if err := json.Unmarshal(p.body, &got); err != nil {
		t.Fatal(err)
	}
	data := got["data"].(map[string]any)
	want := map[string]string{
		"notificationId": n.ID.String(), "userId": n.UserID.String(), "conversationId": n.ConversationID.String(), "messageId": n.MessageID.String(),
		"preview": n.Preview, "seq": "7", "unread": "2", "sentAt": n.SentAt.Format(chat.TimeFormat),
		"sender": fmt.Sprint(map[string]any{"id": n.Sender.ID.String(), "username": n.Sender.Username}),
	}
	for field, value := range want {
		if fmt.Sprint(data[field]) != value {
			t.Errorf("%s is %v, want %s", field, data[field], value)
		}
	}
	if len(data) != len(want) || id != n.ID.String() || got["type"] != "notification.due" || got["timestamp"] != n.At.Format(chat.TimeFormat) {
		t.Errorf("posted %s as %s", p.body, id)
	}
}

// The example of Standard Webhooks, so that their libraries verify what we sign.
func TestSignatureOfTheSpecification(t *testing.T) {
	secret, err := Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := Sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
	if _, err := Secret("whsec_?"); err == nil {
		t.Error("a secret that is not base64 was taken")
	}
}

func TestWhatIsTriedAgainAndWhatIsDead(t *testing.T) {
	for _, c := range []struct {
		script []int
		posts  int // at least
		dead   string
	}{
		{[]int{503, 500, 200}, 3, ""},
		{[]int{429, 200}, 2, ""},
		{[]int{408, 202}, 2, ""},
		{[]int{400}, 1, "400 Bad Request"},
		{[]int{410}, 1, "410 Gone"},
		{[]int{302, 200}, 1, "302 Found"}, // not followed
		{[]int{500}, 2, "500 Internal Server Error"},
	} {
		t.Run(fmt.Sprint(c.script), func(t *testing.T) {
			h := newHook(t, c.script...)
			patience := 20 * time.Second
			if c.dead != "" {
				patience = 2 * time.Second
			}
			h.take(WebhookConfig{Patience: patience}, note())
			if len(h.posts) < c.posts || c.posts == 1 && len(h.posts) != 1 {
				t.Errorf("%d posts, want %d", len(h.posts), c.posts)
			}
			if (c.dead != "") != (len(h.dead) == 1) || c.dead != "" && !strings.Contains(h.whys[0], c.dead) {
				t.Errorf("dead: %v", h.whys)
			}
			for _, p := range h.posts[1:] {
				if p.header.Get("webhook-id") != h.posts[0].header.Get("webhook-id") {
					t.Error("another id when it was tried again")
				}
			}
		})
	}
}

// An answer that switches protocols ends nowhere, and one that asks for an eternity is not taken at its word's low bits.
func TestHostileAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"another protocol": "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"an eternity":      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 9223372037\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHook(t, 200)
			answered := 0
			h.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				h.mu.Lock()
				answered++
				h.mu.Unlock()
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { _ = c.Close() })
				_, _ = c.Write([]byte(answer))
			})
			h.take(WebhookConfig{Patience: 3 * time.Second, Timeout: time.Second}, note())
			if answered != 1 || len(h.dead) != 1 {
				t.Errorf("asked %d times, dead %v", answered, h.whys)
			}
		})
	}
}

// Nobody answers: the record is dead, with the reason, which does not hold the address; and what cannot be read is dead at once.
func TestNobodyAnswers(t *testing.T) {
	h := newHook(t, 200)
	h.Close()
	h.take(WebhookConfig{Patience: time.Second}, note(), chat.Notification{})
	if len(h.dead) != 2 {
		t.Fatalf("%d dead", len(h.dead))
	}
	if !slices.ContainsFunc(h.whys, func(why string) bool { return strings.Contains(why, "refused") }) ||
		!slices.ContainsFunc(h.whys, func(why string) bool { return strings.Contains(why, schemas.ErrPoison.Error()) }) {
		t.Errorf("because %v", h.whys)
	}
	if strings.Contains(fmt.Sprint(h.whys), "of-the-marketplace") {
		t.Errorf("a reason holds what only the webhook's address knows: %v", h.whys)
	}
}

// Notifications that nobody takes hold up none that come with them or after them, and are dead when their patience has ended.
func TestWhatFailsHoldsNobodyUp(t *testing.T) {
	for name, fail := range map[string]http.HandlerFunc{
		"an error":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"come later": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusTooManyRequests)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHook(t, 200)
			var notes []chat.Notification
			failing := map[string]bool{}
			for i := range 60 {
				notes = append(notes, note())
				if i < 40 {
					failing[notes[i].ID.String()] = true
				}
			}
			late := 0 // came when others had failed for good; h.mu guards it
			h.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // only then it is noticed when the client hangs up
				if failing[r.Header.Get("webhook-id")] {
					fail(w, r)
					return
				}
				h.mu.Lock()
				if len(h.dead) > 0 {
					late++
				}
				h.mu.Unlock()
			})
			h.take(WebhookConfig{Patience: 4 * time.Second, Timeout: 2 * time.Second}, notes...)
			if len(h.dead) != len(failing) {
				t.Errorf("%d dead, want %d", len(h.dead), len(failing))
			}
			if late > 0 {
				t.Errorf("%d were held up", late)
			}
		})
	}
}

// Those that were asked to come later do not come before, nor all at the same moment.
func TestRetryAfterHasJitter(t *testing.T) {
	h := newHook(t, 200)
	var again []time.Duration // h.mu guards it, and began
	began := map[string]time.Time{}
	h.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		id := r.Header.Get("webhook-id")
		if at, before := began[id]; before {
			again = append(again, time.Since(at))
			return
		}
		began[id] = time.Now()
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	var notes []chat.Notification
	for range 30 {
		notes = append(notes, note())
	}
	h.take(WebhookConfig{}, notes...)
	if first, last := slices.Min(again), slices.Max(again); len(again) != 30 || first < 2*time.Second || last-first < 100*time.Millisecond {
		t.Errorf("%d came again after %v to %v", len(again), first, last)
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	w := NewWebhook(WebhookConfig{Clock: func() time.Time { return now }})
	for header, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		"-7":                            -7 * time.Second,
		"9223372037":                    longestRetryAfter * time.Second,
		"soon":                          0,
		"Sat, 31 Jan 2026 12:00:30 GMT": 30 * time.Second,
		"Sat, 31 Jan 2026 11:59:00 GMT": -time.Minute,
		"Sat, 31 Jan 9999 12:00:00 GMT": longestRetryAfter * time.Second,
	} {
		if got := w.retryAfter(header); got != want {
			t.Errorf("%q is %v, want %v", header, got, want)
		}
	}
}

// What is late is worth nothing: it is neither posted nor dead.
func TestALateNotificationIsPassedOver(t *testing.T) {
	h := newHook(t, 200)
	late := note()
	late.At = late.At.Add(-2 * time.Hour)
	h.take(WebhookConfig{}, late, note())
	if len(h.posts) != 1 || len(h.dead) != 0 {
		t.Errorf("%d posts, %d dead", len(h.posts), len(h.dead))
	}
}

// A worker that is stopped in the middle buries nothing: the record comes again.
func TestStoppedInTheMiddle(t *testing.T) {
	h := newHook(t, 500)
	w := NewWebhook(WebhookConfig{URL: h.URL, Secret: hookSecret, DeadLetters: h, Decoder: h})
	defer w.Close()
	h.notes["0"] = note()
	s := &shop{feed: make(chan kafka.Record, 1)}
	s.feed <- kafka.Record{Value: []byte("0")}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Worker("", 0).Run(ctx, s) }()
	for tried := 0; tried == 0; time.Sleep(time.Millisecond) {
		h.mu.Lock()
		tried = len(h.posts)
		h.mu.Unlock()
	}
	cancel()
	<-ended
	if len(h.dead)+len(s.done) != 0 {
		t.Errorf("%d dead, %d done", len(h.dead), len(s.done))
	}
}
