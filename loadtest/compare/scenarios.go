package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/converse"
)

// scenario is what a system is put to.
type scenario struct {
	name  string
	run   func(t *trial, ctx context.Context) error
	other bool // it is played only where that is wished, and nobody asks where the CPU goes
}

func scenarios() []scenario {
	return []scenario{
		{"idle sockets", (*trial).idleSockets, false}, // first: nothing that others leave behind is given back meanwhile
		{"marketplace", (*trial).marketplace, false},
		{"one big room", (*trial).bigRoom, false},
		{"reconnect storm", (*trial).storm, true},
		{"deploy", (*trial).deploy, true},
		{"slow readers", (*trial).slowReaders, true},
	}
}

// usual are those that are played if nothing else is wished, others are the rest.
func usual() []scenario {
	return slices.DeleteFunc(scenarios(), func(s scenario) bool { return s.other })
}

func others() []scenario {
	return slices.DeleteFunc(scenarios(), func(s scenario) bool { return !s.other })
}

// saturatedRate is what is noted of how many messages a second there can be.
const saturatedRate = "saturated rate"

// hot has the client send as many messages as there can be, until what is compiled while it runs is compiled, and gives what it sent.
func (t *trial) hot(client *bench.Child) (flood converse.Order, err error) {
	flood = converse.Order{Seconds: t.heat.Seconds(), Window: t.window}
	return flood, t.warmed(client, flood)
}

// capacity is as many messages as there can be.
func (t *trial) capacity(ctx context.Context) error {
	return t.with(ctx, crowd{t.conversations, 2, 0}, func(client *bench.Child) error {
		flood, err := t.hot(client)
		if err != nil {
			return err
		}
		return t.measured(ctx, client, "saturated", flood, 1)
	})
}

// marketplace is conversations of two: at a rate that all bear, and then as many messages as there can be.
func (t *trial) marketplace(ctx context.Context) error {
	return t.with(ctx, crowd{t.conversations, 2, 0}, func(client *bench.Child) error {
		flood, err := t.hot(client)
		if err != nil {
			return err
		}
		paced := converse.Order{PerSecond: t.rate, Seconds: t.warm.Seconds()}
		if err := t.warmed(client, paced); err != nil {
			return err
		}
		paced.Seconds, flood.Seconds = t.length.Seconds(), t.length.Seconds()
		return errors.Join(t.measured(ctx, client, "paced", paced, 1), t.measured(ctx, client, "saturated", flood, 1))
	})
}

// bigRoom is one conversation of many.
func (t *trial) bigRoom(ctx context.Context) error {
	return t.with(ctx, crowd{1, t.room, 0}, func(client *bench.Child) error {
		paced := converse.Order{PerSecond: t.roomRate, Seconds: t.warm.Seconds()}
		if err := t.warmed(client, paced); err != nil {
			return err
		}
		paced.Seconds = t.length.Seconds()
		return t.measured(ctx, client, "room", paced, t.room-1)
	})
}

// idleSockets is how much memory a socket takes that has joined a conversation and says nothing: by how much the processes grow
// from a fifth of the sockets to all of them. What they take to begin with, and the garbage that they let gather, is then there.
func (t *trial) idleSockets(ctx context.Context) error {
	first := t.idle / 5
	return t.with(ctx, crowd{first / 2, 2, 0}, func(*bench.Child) error {
		time.Sleep(t.rest)
		before, err := t.resident()
		if err != nil {
			return err
		}
		return t.with(ctx, crowd{(t.idle - first) / 2, 2, 0}, func(*bench.Child) error {
			time.Sleep(t.rest)
			now, err := t.resident()
			if err != nil {
				return err
			}
			t.note("bytes a socket", (now-before)/float64(t.idle-first))
			t.note("arrival cpu", t.arrival)
			if t.explain && t.heap != nil {
				t.results.heap, err = t.heap(ctx)
			}
			return err
		})
	})
}

// storm is that the connections of half of all people are cut at once, and that these come back.
func (t *trial) storm(ctx context.Context) error {
	return t.with(ctx, crowd{t.idle / 2, 2, 0}, func(client *bench.Child) error {
		before, err := used(t.own)
		if err != nil {
			return err
		}
		var back converse.Return
		if err := client.Ask(converse.Command{Do: "storm"}, &back); err != nil {
			return err
		}
		now, err := used(t.own)
		if err != nil {
			return err
		}
		t.note("storm cpu", (now-before)/float64(back.Count)*1e6)
		t.note("storm seconds", back.Seconds)
		t.note("storm failed", float64(back.Failed))
		t.note("storm p50", back.Took.P50)
		t.note("storm p99", back.Took.P99)
		return nil
	})
}

// deployRate is the messages a second while a server is started again, which is some seconds after they begin.
const (
	deployRate  = 100
	deployAfter = 0.2 // of the time that they take
)

// deploy is that the server with the recipients is started again while messages go to them. They come back to the other one.
func (t *trial) deploy(ctx context.Context) error {
	if t.senders == t.recipients {
		return nil // there is no other
	}
	return t.with(ctx, crowd{t.conversations, 2, 0}, func(client *bench.Child) error {
		o := converse.Order{PerSecond: deployRate, Seconds: 2 * t.length.Seconds(), Returns: true}
		restarted := make(chan error, 1)
		go func() {
			time.Sleep(time.Duration(deployAfter * float64(o.Length())))
			restarted <- t.restart(ctx)
		}()
		h, err := t.talked(client, o, "deploy")
		if err := errors.Join(err, <-restarted); err != nil {
			return err
		}
		t.note("deploy away p50", h.Away.P50)
		t.note("deploy away max", h.Away.Max)
		if h.Back != int64(t.conversations) {
			return fmt.Errorf("%d came back of %d", h.Back, t.conversations)
		}
		return nil
	})
}

// restart ends the server with the recipients, and starts it again.
func (t *trial) restart(ctx context.Context) error {
	s := t.services.At(t.recipients)
	if err := errors.Join(s.Stop(), s.Start(ctx)); err != nil {
		return err
	}
	t.own[s.Name] = s.PID()
	return nil
}

// slowRooms is who is in rooms with slow readers, and slowSpeed the bytes a second that these read.
var slowRooms = crowd{conversations: 4, members: 50, slow: 5}

// What comes for a slow reader is more than the kernel's buffers take, so it is the server that has to deal with the rest.
const (
	slowSpeed  = 2000
	slowRate   = 150
	slowBytes  = 4000 // of a message's text
	slowLength = 6    // times of others
)

// slowReaders is long messages into rooms, first without and then with members that read far less than comes.
func (t *trial) slowReaders(ctx context.Context) error {
	if t.senders == t.recipients {
		return nil // the floor writes texts of one length
	}
	o := converse.Order{PerSecond: slowRate, Seconds: t.length.Seconds(), Bytes: slowBytes, Returns: true}
	quick := slowRooms
	quick.slow = 0
	if err := t.with(ctx, quick, func(client *bench.Child) error {
		_, err := t.talked(client, o, "none slow")
		return err
	}); err != nil {
		return err
	}
	o.Seconds *= slowLength
	return t.with(ctx, slowRooms, func(client *bench.Child) error {
		before, err := t.resident()
		if err != nil {
			return err
		}
		h, err := t.talked(client, o, "slow")
		if err != nil {
			return err
		}
		now, err := t.resident()
		if err != nil {
			return err
		}
		t.note("slow memory", (now-before)/1e6)
		cut := int(h.Back)
		for _, server := range []string{t.senders, t.recipients} { // who reads slowly learns of it late
			closing, err := bench.Closing(server)
			if err != nil {
				return err
			}
			cut += closing
		}
		t.note("slow cut", float64(cut))
		return nil
	})
}

// talked has the client send, and notes how the messages went.
func (t *trial) talked(client *bench.Child, o converse.Order, name string) (h converse.Heard, err error) {
	if err := client.Ask(converse.Command{Do: "run", Order: o}, &h); err != nil {
		return h, err
	}
	t.heard(h, name)
	return h, nil
}
