package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// witness is a client that must not notice what is done to the product by others, and what the
// product's process weighed before.
type witness struct {
	*peer
	p          *process
	goroutines int
	heap       int
}

func (p *process) witness() *witness {
	p.t.Helper()
	who := newPerson("witness")
	w := &witness{peer: p.connect(who), p: p}
	p.t.Cleanup(w.close)
	// One message all the way, so that every part has begun its work.
	room := p.conversation(who)
	if answer := w.ask("join:conversation", `{"conversationId":"`+room+`","afterSeq":0}`); !answer.OK {
		p.t.Fatalf("%+v", answer)
	}
	w.send(`42/chat,["send:message",{"conversationId":"` + room + `","message":"here"}]`)
	w.until(`42/chat,["new:message",`)
	for end := time.Now().Add(patience); time.Now().Before(end); { // and until nothing starts any more
		before := p.goroutines()
		time.Sleep(200 * time.Millisecond)
		if w.goroutines = p.goroutines(); w.goroutines == before {
			break
		}
	}
	w.served("at first")
	w.heap = p.heap()
	return w
}

// served insists that the witness is answered within its usual time.
func (w *witness) served(when string) {
	w.t.Helper()
	start := time.Now()
	if answer := w.ask("get:online_status", `{"userIds":[]}`); !answer.OK {
		w.t.Errorf("%s: %+v", when, answer)
	}
	if took := time.Since(start); took > time.Second {
		w.t.Errorf("%s another client waited for %v", when, took)
	}
}

// unharmed insists that everything is as it was: connections, goroutines, heap.
func (w *witness) unharmed(when string) {
	w.t.Helper()
	w.served(when)
	var connections, goroutines, heap int
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		connections = w.p.connections()
		if goroutines = w.p.goroutines(); connections == 1 && goroutines <= w.goroutines+20 {
			break
		}
	}
	if connections != 1 || goroutines > w.goroutines+20 {
		w.t.Errorf("%s: %d connections are left, want 1; %d goroutines, were %d", when, connections, goroutines, w.goroutines)
	}
	if heap = w.p.heap(); heap > w.heap+16<<20 {
		w.t.Errorf("%s: the heap is %d KiB, was %d", when, heap>>10, w.heap>>10)
	}
	w.t.Logf("%s: %d goroutines (%d before), heap %d KiB (%d before)", when, goroutines, w.goroutines, heap>>10, w.heap>>10)
}

// heap is what is live, in bytes.
func (p *process) heap() int {
	p.t.Helper()
	var last string
	for range 2 { // what the first collection lets go of may only be freed by the second
		last = get(p.t, "http://"+p.admin+"/debug/pprof/heap?gc=1&debug=1")
	}
	_, rest, _ := strings.Cut(last, "# HeapAlloc = ")
	text, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(text)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *process) goroutines() int { return int(p.metric("go_goroutines")) }

func (p *process) connections() int {
	return int(p.metric(`dozaar_socketio_connections{transport="websocket"}`) + p.metric(`dozaar_socketio_connections{transport="polling"}`))
}

// metric reads one from the admin port; one that is not there is 0.
func (p *process) metric(name string) float64 {
	p.t.Helper()
	for line := range strings.SplitSeq(get(p.t, "http://"+p.admin+"/metrics"), "\n") {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return v
		}
	}
	return 0
}

func closesTotal(reason string) string {
	return fmt.Sprintf("dozaar_socketio_closes_total{reason=%q}", reason)
}

func refusalsTotal(why string) string {
	return fmt.Sprintf("dozaar_socketio_refusals_total{why=%q}", why)
}
