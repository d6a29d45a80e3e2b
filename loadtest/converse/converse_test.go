package converse

import (
	"fmt"
	"io/fs"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestPaceIsOpenLoop(t *testing.T) {
	start := time.Now()
	var due []time.Duration
	n, err := pace(1000, 50*time.Millisecond, func(at time.Time) error {
		due = append(due, at.Sub(start))
		if len(due) == 1 {
			time.Sleep(20 * time.Millisecond) // what is slow does not move what is due
		}
		return nil
	})
	if err != nil || n != 50 || len(due) != 50 {
		t.Fatalf("%d, %d, %v", n, len(due), err)
	}
	for i := range due[1:] {
		if gap := due[i+1] - due[i]; gap < 999*time.Microsecond || gap > 1001*time.Microsecond {
			t.Errorf("%d was due %v after the one before", i+1, gap)
		}
	}
}

func TestDriveKeepsTheWindow(t *testing.T) {
	var under gate
	most := int64(0)
	o, err := Drive(Order{Seconds: 0.05, Window: 3}, func(done func(error)) {
		under.enter()
		most = max(most, under.under.Load())
		go func() {
			time.Sleep(time.Millisecond)
			under.leave()
			done(nil)
		}()
	})
	if err != nil || o.Lost != 0 || o.Count < 3 || most > 3 {
		t.Errorf("%+v, %v, %d at once", o, err, most)
	}
	if _, err := Drive(Order{PerSecond: 1000, Seconds: 0.01}, func(done func(error)) { done(fs.ErrInvalid) }); err == nil {
		t.Error("a failure was not told")
	}
}

// ask lets the client do what it is told, and gives its answers.
func ask(t *testing.T, l *client, commands ...Command) (answers []any) {
	t.Helper()
	for _, c := range commands {
		answer, err := l.do(c)
		if err != nil {
			t.Fatalf("%s: %v", c.Do, err)
		}
		answers = append(answers, answer)
	}
	return answers
}

// bareServer is the address of a floor.
func bareServer(t *testing.T) string { return serve(t, DefaultSamples()) }

func serve(t *testing.T, samples Samples) string {
	t.Helper()
	bare, err := NewBareServer(samples)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(bare)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestBareServerAndClient lets the client send to the floor's server, and sees that it notices what is wrong.
func TestBareServerAndClient(t *testing.T) {
	address := bareServer(t)
	l := &client{}
	connect := Command{Do: "connect", Dialect: Bare, Senders: address, Recipients: address}
	for i := range 3 {
		connect.Conversations = append(connect.Conversations, Conversation{ID: fmt.Sprint("c", i), Tokens: []string{"a", "b", "c"}})
	}
	answers := ask(t, l, connect,
		Command{Do: "run", Order: Order{PerSecond: 500, Seconds: 0.1}},
		Command{Do: "run", Order: Order{Seconds: 0.1, Window: 6}},
		Command{Do: "samples"},
		Command{Do: "storm"},
		Command{Do: "run", Order: Order{PerSecond: 500, Seconds: 0.1}})
	if back, after := answers[4].(Return), answers[5].(Heard); back.Count != 6 || back.Failed != 0 || back.Seconds < 0.5 || back.Took.Max == 0 ||
		after.Count != 50 || !after.Faults.None() {
		t.Errorf("%+v\n%+v", back, after)
	}
	paced, flood := answers[1].(Heard), answers[2].(Heard)
	if paced.Count != 50 || !paced.Faults.None() || flood.Count <= 6 || !flood.Faults.None() {
		t.Errorf("%+v\n%+v", paced, flood)
	}
	if got := answers[3].(Samples); !strings.Contains(got.Message, string(textField)) || !strings.Contains(got.Ack, `"ok":true`) || got.Sent == "" {
		t.Errorf("%+v", got)
	}
	if got := answers[5].(Heard); got.Back != 0 {
		t.Errorf("%d came back that had not gone", got.Back)
	}
	if f := ask(t, l, Command{Do: "leave"})[0].(Faults); !f.None() {
		t.Errorf("%+v", f)
	}
}

// TestEachFaultIsFoundOnce has members of a room hear what they should not.
func TestEachFaultIsFoundOnce(t *testing.T) {
	frame := func(n int64) string {
		return `42/chat,["new:message",{"conversationId":"c","message":"` + TextOf(n) + `"}]`
	}
	ack := func(n int, body string) string { return fmt.Sprintf(`43/chat,%d[%s]`, n, body) }
	for name, c := range map[string]struct {
		heard []string // by the first recipient, after messages 1 and 2 were sent
		want  Faults
	}{
		"both":                      {[]string{frame(1), frame(2)}, Faults{Lost: 2}}, // nobody else has heard them
		"twice":                     {[]string{frame(1), frame(1)}, Faults{Lost: 2, Duplicated: 1}},
		"twice, later":              {[]string{frame(1), frame(2), frame(1)}, Faults{Lost: 2, Duplicated: 1}},
		"the older after the newer": {[]string{frame(2), frame(1)}, Faults{Lost: 2, Reordered: 1}},
		"another text":              {[]string{strings.Replace(frame(1), "much is it", "much was it", 1)}, Faults{Lost: 2, Altered: 1}},
		"a text that is cut":        {[]string{strings.Replace(frame(1), ` is"}`, `"}`, 1)}, Faults{Lost: 2, Altered: 1}},
		"a number nobody sent":      {[]string{strings.Replace(frame(1), "00000001", "90000001", 1), frame(2)}, Faults{Lost: 2, Altered: 1}},
		"another conversation":      {[]string{strings.Replace(frame(1), `"c"`, `"d"`, 1)}, Faults{Lost: 2, Altered: 1}},
		"no conversation":           {[]string{strings.Replace(frame(1), "conversationId", "room", 1)}, Faults{Lost: 2, Altered: 1}},
		"an exception":              {[]string{`42/chat,["exception",{}]`}, Faults{Lost: 2, Refused: 1}},
		"refused":                   {[]string{ack(1, `{"ok":false}`)}, Faults{Lost: 1, Refused: 1}},
		"acknowledged twice":        {[]string{ack(1, `{"ok":true}`), ack(1, `{"ok":true}`)}, Faults{Lost: 2, Refused: 1}},
	} {
		r := &run{order: Order{PerSecond: 1}, acked: newLatencies(), heard: newLatencies()}
		l := &client{dialect: socketIO{}}
		talk := &talk{client: l, id: "c", recipients: 2, n: 2, sent: map[int64]*pending{1: {run: r, left: 2}, 2: {run: r, left: 2}}}
		r.under.enter()
		r.under.enter()
		e := &ear{talk: talk, member: 1}
		for _, f := range c.heard {
			_ = e.frame([]byte(f))
		}
		got := l.found()
		got.Lost, got.First = r.under.under.Load(), nil
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestRecipientsReturn ends a recipient's connection while messages are sent: they come back where that is ordered, and else it is a fault.
func TestRecipientsReturn(t *testing.T) {
	samples := DefaultSamples()
	samples.Message = strings.Replace(samples.Message, TextOf(1), textOf(1, 4000), 1)
	address := serve(t, samples)
	l := &client{}
	ask(t, l, Command{
		Do: "connect", Dialect: Bare, Senders: address, Recipients: address, Slow: 1, Speed: 100_000,
		Conversations: []Conversation{{ID: "c", Tokens: []string{"sender", "slow", "quick"}}},
	})
	cut := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, e := range l.ears {
			if e.member == 2 {
				_ = e.conn.Close()
			}
		}
	}
	order := Order{PerSecond: 0.5, Seconds: 4, Bytes: 4000, Returns: true} // one message before it, one when everybody is back
	time.AfterFunc(200*time.Millisecond, cut)
	heard := ask(t, l, Command{Do: "run", Order: order})[0].(Heard)
	if heard.Count != 2 || !heard.Faults.None() || heard.Back != 1 || heard.Away.Max < 500 {
		t.Errorf("%+v", heard)
	}
	if len(textOf(3, order.text())) != 4000 {
		t.Error("the texts are too short")
	}
	cut()
	heard = ask(t, l, Command{Do: "run", Order: Order{PerSecond: 100, Seconds: 0}})[0].(Heard)
	for deadline := time.Now().Add(10 * time.Second); heard.Faults.Refused == 0 && time.Now().Before(deadline); {
		heard = ask(t, l, Command{Do: "run", Order: Order{PerSecond: 100, Seconds: 0}})[0].(Heard)
	}
	if heard.Faults.Refused != 1 || heard.Back != 0 {
		t.Errorf("%+v", heard)
	}
	ask(t, l, Command{Do: "leave"})
}

// TestJoinsResume names where somebody was, to servers that can tell what followed.
func TestJoinsResume(t *testing.T) {
	c, at := Conversation{ID: "c"}, &position{last: 7, epoch: "e"}
	for dialect, want := range map[string]string{
		Contract:   `42/chat,0["join:conversation",{"conversationId":"c","afterSeq":7}]`,
		Unnumbered: `42/chat,0["join:conversation",{"conversationId":"c"}]`,
		Centrifuge: `{"id":2,"subscribe":{"channel":"c","recover":true,"epoch":"e","offset":7}}`,
	} {
		d, err := dialectOf(dialect)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.join(c, at); got != want || strings.Contains(d.join(c, nil), "7") {
			t.Errorf("%s: %s, and new: %s", dialect, got, d.join(c, nil))
		}
	}
}

// TestDialects says what each server would say, and sees that it is understood.
func TestDialects(t *testing.T) {
	text := TextOf(7)
	message7 := word{kind: message, n: 7, conversation: []byte("c"), text: []byte(text)}
	of := func(w word, seq int64) word {
		w.seq = seq
		return w
	}
	for _, c := range []struct {
		dialect, frame string
		want           []word
	}{
		{Contract, `43/chat,0[{"ok":true}]`, []word{{kind: joined, ok: true}}},
		{Contract, `43/chat,0[{"ok":false,"code":"not_found"}]`, []word{{kind: joined}}},
		{Contract, `43/chat,7[{"ok":true}]`, []word{{kind: acknowledged, n: 7, ok: true}}},
		{Contract, `42/chat,["new:message",{"conversationId":"c","seq":9,"message":"` + text + `"}]`, []word{of(message7, 9)}},
		{Unnumbered, `42/chat,["new:message",{"conversationId":"c","seq":9,"message":"` + text + `"}]`, []word{message7}},
		{Contract, `42/chat,["user:online",{}]`, nil},
		{Contract, `44/chat,{"message":"x"}`, []word{{kind: wrong}}},
		{Centrifuge, `{}`, []word{{kind: pinged}}},
		{
			Centrifuge, `{"id":2,"subscribe":{}}` + "\n" + `{"id":17,"publish":{}}` + "\n" + `{"id":18,"error":{"code":1}}` + "\n",
			[]word{{kind: joined, ok: true}, {kind: acknowledged, n: 7, ok: true}, {kind: acknowledged, n: 8}},
		},
		{Centrifuge, `{"push":{"channel":"c","pub":{"data":{"message":"` + text + `"},"offset":3}}}`, []word{message7}},
		{Centrifuge, `{"push":{"channel":"c","join":{}}}`, nil},
		{
			Centrifuge, `{"id":2,"subscribe":{"epoch":"xy","publications":[{"data":{"message":"` + text + `"},"offset":7},{"data":{"message":"` + TextOf(8) + `"},"offset":8}],"recovered":true,"offset":8}}`,
			[]word{{kind: message, n: 7, text: []byte(text)}, {kind: message, n: 8, text: []byte(TextOf(8))}, {kind: joined, ok: true, epoch: "xy"}},
		},
		{Centrifuge, `what?`, []word{{kind: wrong}}},
	} {
		d, err := dialectOf(c.dialect)
		if err != nil {
			t.Fatal(err)
		}
		var got []word
		d.hear([]byte(c.frame), func(w word) { got = append(got, w) })
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s %s: %+v", c.dialect, c.frame, got)
		}
	}
	if _, err := dialectOf("esperanto"); err == nil {
		t.Error("esperanto was understood")
	}
}
