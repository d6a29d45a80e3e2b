package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// warmUp is how many connections come and go before any are counted: code that has never run yet is
// no part of a connection.
const warmUp = 200

// idle measures connections that do nothing: how they come, what they keep, what they leave.
func idle(ctx context.Context, p plan, name string, r results) error {
	if !p.has("idle") {
		return nil
	}
	return waiting(ctx, p, name, p.idle[0], r, true)
}

// crowd is idle with more of them, and measures what they keep alone.
func crowd(ctx context.Context, p plan, name string, r results) error {
	if !p.has("crowd") {
		return nil
	}
	return waiting(ctx, p, name, p.idle[1], r, false)
}

func waiting(ctx context.Context, p plan, name string, count int, r results, smaller bool) (err error) {
	pair, err := startPair(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pair.stop()) }()

	if _, err := pair.connect(warmUp); err != nil {
		return err
	}
	if err := pair.leave(p.settle); err != nil {
		return err
	}
	before, rssBefore, err := pair.observe()
	if err != nil {
		return err
	}
	open, err := pair.connect(count)
	if err != nil {
		return err
	}
	after, err := pair.stat()
	if err != nil {
		return err
	}
	time.Sleep(p.settle)
	settled, err := pair.server.rss()
	if err != nil {
		return err
	}
	if err := pair.server.ask(command{Do: "collect"}, &struct{}{}); err != nil {
		return err
	}
	_, collected, err := pair.observe()
	if err != nil {
		return err
	}
	spoken := 0.0
	if smaller {
		if spoken, err = pair.speak(open.Open, p.settle); err != nil {
			return err
		}
	}
	if err := pair.leave(p.settle); err != nil {
		return err
	}
	end, err := pair.stat()
	if err != nil {
		return err
	}

	at := bigIdle
	if smaller {
		at = smallIdle
		r.add(connects, name, float64(open.Open)/(after.CPUSeconds-before.CPUSeconds))
		r.add(afterSpeaking, name, (spoken-rssBefore)/float64(open.Open)/1024)
		r.add(heapLeft, name, (end.Heap-before.Heap)/1024)
		r.add(runningLeft, name, float64(end.Running-before.Running))
	}
	r.add(at.settled, name, (settled-rssBefore)/float64(open.Open)/1024)
	r.add(at.collected, name, (collected-rssBefore)/float64(open.Open)/1024)
	r.add(at.hung, name, float64(open.Hung))
	return nil
}

// work measures what connections cost that do something.
func work(ctx context.Context, p plan, name string, r results) (err error) {
	if !slices.ContainsFunc([]string{"echo-one", "echo-many", "flood", "paced"}, p.has) {
		return nil
	}
	pair, err := startPair(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pair.stop()) }()
	if _, err := pair.connect(p.members); err != nil {
		return err
	}
	if err := pair.client.ask(command{Do: "join"}, &struct{}{}); err != nil {
		return err
	}

	for _, echo := range []struct {
		name          string
		metric        *metric
		conns, window int
	}{{"echo-one", echoOne, p.askers, 1}, {"echo-many", echoMany, p.pipeline, p.window}} {
		if !p.has(echo.name) {
			continue
		}
		c := command{Do: "echo", Conns: echo.conns, Window: echo.window, Count: p.echoes / 10}
		if _, err := pair.cost(c, &struct{}{}); err != nil { // to warm up
			return err
		}
		c.Count = p.echoes
		cpu, err := pair.cost(c, &struct{}{})
		if err != nil {
			return err
		}
		r.add(echo.metric, name, float64(p.echoes)/cpu)
	}
	for _, room := range []struct {
		name     string
		metric   *metric
		messages int
		every    time.Duration
	}{{"flood", flood, p.flood, 0}, {"paced", paced, p.paced, p.every}} {
		if !p.has(room.name) {
			continue
		}
		c := command{Do: "room", Window: 64, EverySec: room.every.Seconds(), Count: room.messages / 10}
		if _, err := pair.cost(c, &said{}); err != nil {
			return err
		}
		c.Count = room.messages
		var heard said
		cpu, err := pair.cost(c, &heard)
		if err != nil {
			return err
		}
		r.add(room.metric, name, cpu/float64(heard.Deliveries)*1e6)
		r.add(lost, name, float64(heard.Lost))
	}
	return nil
}

func (p *pair) connect(count int) (open connected, err error) {
	err = p.client.ask(command{Do: "connect", Address: p.address, Bare: p.bare, Count: count}, &open)
	if err == nil && open.Open == 0 {
		err = fmt.Errorf("none of %d connections came about", count)
	}
	return open, err
}

// speak lets each connection send an event and get its acknowledgement, and tells the RSS after that.
func (p *pair) speak(conns int, settle time.Duration) (float64, error) {
	if err := p.client.ask(command{Do: "echo", Conns: conns, Window: 1, Count: conns}, &struct{}{}); err != nil {
		return 0, err
	}
	time.Sleep(settle)
	if err := p.server.ask(command{Do: "collect"}, &struct{}{}); err != nil {
		return 0, err
	}
	return p.server.rss()
}

// leave lets the client go and the server notice, collect and settle.
func (p *pair) leave(settle time.Duration) error {
	if err := p.client.ask(command{Do: "leave"}, &struct{}{}); err != nil {
		return err
	}
	time.Sleep(settle)
	return p.server.ask(command{Do: "collect"}, &struct{}{})
}

func (p *pair) stat() (s stat, err error) {
	err = p.server.ask(command{Do: "stat"}, &s)
	return s, err
}

func (p *pair) observe() (stat, float64, error) {
	s, err := p.stat()
	if err != nil {
		return s, 0, err
	}
	rss, err := p.server.rss()
	return s, rss, err
}

// cost is the CPU time of the server while the client carries a command out.
func (p *pair) cost(c command, result any) (float64, error) {
	before, err := p.stat()
	if err != nil {
		return 0, err
	}
	if err := p.client.ask(c, result); err != nil {
		return 0, err
	}
	after, err := p.stat()
	return after.CPUSeconds - before.CPUSeconds, err
}
