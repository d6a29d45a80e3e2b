package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/history"
)

// Run carries the plan out and judges what came of it. An error is one of the run itself: what the product did
// wrong is in the verdict.
func Run(ctx context.Context, p Plan) (Result, error) {
	if err := p.validate(); err != nil {
		return Result{}, err
	}
	writer, err := history.Create(p.History)
	if err != nil {
		return Result{}, err
	}
	r := &run{Plan: p, api: newAPI(p), writer: writer}
	defer r.api.http.CloseIdleConnections()
	err = r.play(ctx)
	if err := errors.Join(err, writer.Close()); err != nil {
		return Result{}, err
	}
	return Judge(p.History, p.Check)
}

// Judge checks a history that was written before.
func Judge(path string, o history.Options) (Result, error) {
	verdict, err := history.Check(history.File(path), o)
	if err != nil {
		return Result{Verdict: verdict}, err
	}
	latency, err := Measure(history.File(path))
	return Result{verdict, latency}, err
}

// play is everything that is written down.
func (r *run) play(ctx context.Context) error {
	r.world()
	if err := r.create(ctx); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	var devices errgroup.Group
	defer func() {
		stop()
		_ = devices.Wait() // a device has no error of its own
	}()
	if err := r.start(running, &devices); err != nil {
		return err
	}
	fmt.Fprintf(r.Out, "%d devices in %d conversations\n", len(r.devices), len(r.conversations))
	if err := r.loaded(ctx); err != nil {
		return err
	}
	r.latecomers(ctx)
	r.settle(ctx)
	return r.readBack(ctx)
}

// loaded makes the load for as long as planned, with what is to happen during it.
func (r *run) loaded(ctx context.Context) error {
	loading, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.Duration > 0 {
		ended := time.AfterFunc(r.Duration, cancel)
		defer ended.Stop()
	}
	group, loading := errgroup.WithContext(loading)
	group.Go(func() error { return r.load(loading) })
	group.Go(func() error {
		r.progress(loading)
		return nil
	})
	if r.During != nil {
		group.Go(func() error {
			err := r.During(ctx, r.note)
			if r.Duration == 0 {
				cancel()
			}
			return err
		})
	}
	return group.Wait()
}

func (r *run) note(text string) {
	fmt.Fprintln(r.Out, text)
	r.writer.Record(history.Event{Kind: history.Remark, Note: text})
}

// progress prints a line every five seconds.
func (r *run) progress(ctx context.Context) {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s := &r.stats
			fmt.Fprintf(r.Out, "%4.0fs  %d connected, %d came back; %d to send, %d acknowledged, %d tries repeated, %d refused; %d shown, %d paged\n",
				time.Since(began).Seconds(), s.Connected.Load(), s.Reconnects.Load(), s.Sent.Load(), s.Acked.Load(), s.Retried.Load(), s.Refused.Load(), s.Shown.Load(), s.Paged.Load())
		}
	}
}
