package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dozaar/dozaar/loadtest/history"
)

// A plant is a Dozaar that breaks a promise, to see whether the checker notices. It is the same source, some lines of which
// the compiler takes from elsewhere: the product has no sabotage in it, and no switch for one.
type plant struct {
	name  string
	what  string // is wrong with it
	edits []edit
	kind  string          // of fault, by which it comes to light
	found []history.Fault // it must be caught as each of these; others may come of it
}

// edit replaces what must stand exactly once in a file, named from the root of the repository.
type edit struct{ file, was, becomes string }

// plantSettle is how long a planted product is waited for while nothing gets any further: what it has lost never comes.
const plantSettle = 20 * time.Second

// plants are all there are.
func plants() []plant {
	return []plant{
		{
			name: "commit-first", kind: "kill-deliver", found: []history.Fault{history.Lost},
			what: "deliver reports a message as done, so that its offset is committed, and stores it two seconds later",
			edits: []edit{{"streams/deliver/messages.go", `		fresh, err := w.deliver(ctx, slice)
		if err != nil {
			return err
		}
		out.add(fresh)
		from.Done(dropped(slice, fresh)...)
		return nil
`, `		_ = out
		from.Done(positions(slice)...)
		time.Sleep(2 * time.Second)
		_, err := w.deliver(ctx, slice)
		return err
`}},
		},
		{
			name: "ack-first", kind: "kill-gateway", found: []history.Fault{history.Lost},
			what: "a gateway acknowledges a message at once, and gives it to Kafka half a second later",
			edits: []edit{{"pkg/kafka/producer.go", `	p.client.TryProduce(context.WithoutCancel(ctx), r, func(_ *kgo.Record, err error) { done <- err })
`, `	done <- nil
	time.AfterFunc(500*time.Millisecond, func() { p.client.TryProduce(context.WithoutCancel(ctx), r, func(*kgo.Record, error) {}) })
`}},
		},
		{
			name: "no-dedup", kind: "kill-gateway", found: []history.Fault{history.Duplicated, history.TwoBodies},
			what: "a client message id that was used before is taken as new, by the gateway and by deliver",
			edits: []edit{
				{"pkg/gateway/send.go", `	if m.ClientMessageID == (chat.ID{}) {
`, `	if true {
`},
				{"streams/deliver/duplicates.go", `		if !duplicate {
`, `		if !duplicate || true {
`},
			},
		},
		{
			name: "stale-memory", kind: "stop-deliver", found: []history.Fault{history.Lost, history.Disagreeing},
			what: "deliver remembers the last numbers for as long as the process lives, also where another has numbered meanwhile",
			edits: []edit{
				{"streams/deliver/messages.go", `func newMessageWorker(d *Deliver) *messageWorker {
	return &messageWorker{Deliver: d, numbers: newNumbers(d.Remember)}
`, `var kept = newNumbers(1 << 20)

func newMessageWorker(d *Deliver) *messageWorker {
	return &messageWorker{Deliver: d, numbers: kept}
`},
				{"streams/deliver/messages.go", `			w.numbers.forget()
`, ``},
			},
		},
		{
			name: "no-gap-fill", kind: "empty-redis", found: []history.Fault{history.Gap},
			what: "a room delivers whatever is above its last number, and reads nothing from the store that was left out",
			edits: []edit{
				{"pkg/gateway/room.go", ` || m.Seq != r.last+1 {
`, ` {
`},
				{"pkg/gateway/fill.go", `r.want > r.last || r.fresh`, `r.fresh`},
				{"pkg/gateway/fill.go", `		if m.Seq == r.last+1 && `, `		if false && `},
			},
		},
		{
			name: "lost-batch", kind: "calm", found: []history.Fault{history.Gap},
			what: "one batch in ten to a gateway is lost and not counted, so that a room learns of it by its next message only, and of its last message never",
			edits: []edit{{"pkg/relay/sender.go", `		for part := range parts(batch) {
`, `		for part := range parts(batch) {
			if time.Now().UnixMicro()%10 == 0 {
				continue
			}
`}},
		},
		{
			name: "foreign", kind: "calm", found: []history.Fault{history.Foreign},
			what: "a room puts nobody out who is removed, and lets in whoever asks",
			edits: []edit{
				{"pkg/gateway/members.go", `func (r *room) evict(s *session) {
`, `func (r *room) evict(s *session) {
	if true {
		return
	}
`},
				{"pkg/gateway/room.go", `	if !r.members[s.user.ID] {
		return false, chat.ErrNotFound
	}
`, ``},
				{"pkg/gateway/members.go", `; !member {
`, `; !member && false {
`},
			},
		},
	}
}

// overlay writes the plant's files into dir and returns the path of what tells the compiler of them. root is where the
// repository is.
func (p plant) overlay(root, dir string) (path string, err error) {
	sources := map[string]string{}
	for i, e := range p.edits {
		text, changed := sources[e.file]
		if !changed {
			read, err := os.ReadFile(filepath.Join(root, e.file)) //nolint:gosec // the product's own source
			if err != nil {
				return "", fmt.Errorf("plant %s: %w", p.name, err)
			}
			text = string(read)
		}
		if n := strings.Count(text, e.was); n != 1 {
			return "", fmt.Errorf("plant %s: its edit %d does not fit any more: in %s there is %d times\n%s", p.name, i+1, e.file, n, e.was)
		}
		sources[e.file] = strings.Replace(text, e.was, e.becomes, 1)
	}
	if root, err = filepath.Abs(root); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range sources {
		to := filepath.Join(dir, strings.ReplaceAll(file, "/", "-")+".txt")
		if err := os.WriteFile(to, []byte(text), keptHere); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = to
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, keptHere)
}

// caught tells whether the round's findings are what was planted.
func (p plant) caught(r row) bool {
	return !slices.ContainsFunc(p.found, func(f history.Fault) bool { return r.Findings[f] == 0 })
}

// drawPlants is all of them, or some by name.
func drawPlants(want string) ([]plant, error) {
	every := plants()
	if want == "all" {
		return every, nil
	}
	var drawn []plant
	for name := range strings.SplitSeq(want, ",") {
		i := slices.IndexFunc(every, func(p plant) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no plant %q", name)
		}
		drawn = append(drawn, every[i])
	}
	return drawn, nil
}

// playPlants plays a round of each plant and says what the checker found. The exit code is 0 if each was caught.
func playPlants(ctx context.Context, o options) (code int, err error) {
	drawn, err := drawPlants(o.planted)
	if err != nil {
		return 2, err
	}
	program, err := build(ctx, o.dir)
	if err != nil {
		return 2, err
	}
	e, end, err := ready(ctx, o, program, single)
	if err != nil {
		return 2, err
	}
	defer func() { err = errors.Join(err, end()) }()
	o.settle = plantSettle
	for _, p := range drawn {
		r, err := p.play(ctx, o, e)
		if err != nil {
			return worse(code, 2), fmt.Errorf("plant %s: %w", p.name, err)
		}
		verdict := "caught"
		if !p.caught(r) {
			verdict, code = "NOT CAUGHT", 1
		}
		var all []string
		for _, f := range slices.Sorted(maps.Keys(r.Findings)) {
			all = append(all, fmt.Sprintf("%s %d", f, r.Findings[f]))
		}
		fmt.Printf("%-13s %-13s %s as %v: %s\n", p.name, p.kind, verdict, p.found, strings.Join(all, ", "))
	}
	return code, nil
}

// play builds the planted program and plays a round with it.
func (p plant) play(ctx context.Context, o options, e *engines) (r row, err error) {
	drawn, err := draw(p.kind, o.seed)
	if err != nil {
		return r, err
	}
	dir := filepath.Join(o.dir, "plant-"+p.name)
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o750)); err != nil {
		return r, err
	}
	overlay, err := p.overlay(".", dir)
	if err != nil {
		return r, err
	}
	program, err := build(ctx, dir, "-overlay", overlay)
	if err != nil {
		return r, err
	}
	say("plant %s: %s", p.name, p.what)
	k := drawn[0]
	k.name = p.name
	return playRound(ctx, o, program, e, k, 0)
}
