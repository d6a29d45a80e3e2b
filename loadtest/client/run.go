package client

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/wire"
)

// Run keeps the device connected until ctx ends.
func (d *Device) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		s, gateway, err := d.dial(ctx)
		if err == nil {
			d.connected(s, gateway)
			d.disconnected(d.serve(ctx, s))
		} else {
			d.Stats.ConnectErrors.Add(1)
		}
		select {
		case <-ctx.Done():
		case <-time.After(d.pause()):
		}
	}
	return nil
}

// dial tries one gateway, and the others at once where nobody listens: what stands in front of them passes those over too.
func (d *Device) dial(ctx context.Context) (s *socket, gateway string, err error) {
	first := d.first()
	for i := range d.Gateways {
		gateway = d.Gateways[(first+i)%len(d.Gateways)]
		if s, err = dial(ctx, gateway, d.Token(), &d.speed); !errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
	}
	return s, gateway, err
}

func (d *Device) first() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.epoch == 0 {
		return 0
	}
	return d.random.IntN(len(d.Gateways))
}

func (d *Device) pause() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.backoff.Next()
}

func (d *Device) connected(s *socket, gateway string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up, d.heard = s, time.Now()
	d.epoch++
	d.backoff.Reset()
	d.Stats.Connected.Add(1)
	if d.epoch > 1 {
		d.Stats.Reconnects.Add(1)
	}
	d.record(history.Event{Kind: history.Connected, Note: gateway})
}

// disconnected forgets all that belonged to the connection. What was not answered has an unknown outcome.
func (d *Device) disconnected(why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up, d.out = nil, nil
	for _, r := range d.order {
		r.out() // first: a join that was told, and not acknowledged, is not waited for any more
	}
	for id := range d.acks {
		d.expire(id)
	}
	for _, r := range d.order {
		r.joining, r.leaving, r.marking = false, false, false
		r.tryAt = time.Time{}
		if d.Forgetful {
			r.cursor, r.live = 0, 0
		}
	}
	d.Stats.Connected.Add(-1)
	d.record(history.Event{Kind: history.Disconnected, Note: why.Error()})
}

// out takes the device out of the room. What was shown beyond a hole that pages should have filled is forgotten.
func (r *room) out() { r.joined, r.pageTo = false, 0 }

// serve writes, and pages, until the connection ends. Reading is on the other of the device's two goroutines.
func (d *Device) serve(ctx context.Context, s *socket) error {
	var reading error // set before ended is closed
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		reading = s.read(d.packet)
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var spare []byte
	for {
		out, page, wait := d.work(spare, time.Now())
		if len(out) > 0 {
			if err := s.write(out); err != nil {
				_ = s.conn.Close()
				<-ended
				return err
			}
		}
		spare = out[:0]
		if page != uuid.Nil {
			d.page(ctx, page)
			wait = 0
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			_ = s.write(wire.AppendText(nil, "41"+namespace))
			_ = s.conn.Close()
			<-ended
			return context.Cause(ctx)
		case <-ended:
			_ = s.conn.Close()
			return reading
		case <-d.wake:
		case <-timer.C:
		}
	}
}
