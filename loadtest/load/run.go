package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/history"
)

// Result is what came of a run.
type Result struct {
	Verdict history.Verdict `json:"verdict"`
	Latency Latency         `json:"latency"`
	Course  *Course         `json:"course,omitempty"` // not of a history that was written before
}

// Run carries the plan out and judges what came of it. An error is one of the run itself: what the product did
// wrong is in the verdict. Where the load had begun before the error there is a result all the same, of what there is.
func Run(ctx context.Context, p Plan) (Result, error) {
	if err := p.validate(); err != nil {
		return Result{}, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	defer transport.CloseIdleConnections()
	r := &run{Plan: p, meter: NewMeter(), http: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
	r.watch = newWatch(&r.Plan, &r.stats, r.meter)
	if err := r.watch.check(); err != nil {
		return Result{}, err
	}
	var err error
	if r.writer, err = history.Create(p.History); err != nil {
		return Result{}, err
	}
	played := errors.Join(r.play(ctx), r.writer.Close())
	if played != nil && r.watch.began.IsZero() {
		return Result{}, played
	}
	verdict, err := history.Check(history.File(p.History), r.Check)
	if played != nil {
		verdict.Incomplete = append(verdict.Incomplete, "the run did not come to its end: "+played.Error())
	}
	course := r.watch.end(len(r.devices))
	course.Notes, course.Storms, course.LeftOut = r.notes, r.gales, r.leftOut
	return Result{verdict, r.meter.Whole(), &course}, errors.Join(played, err)
}

// Judge checks a history that was written before.
func Judge(path string, o history.Options) (Result, error) {
	verdict, err := history.Check(history.File(path), o)
	if err != nil {
		return Result{Verdict: verdict}, err
	}
	latency, err := Measure(history.File(path))
	return Result{Verdict: verdict, Latency: latency}, err
}

// record writes an event down and measures it, at the time of the call.
func (r *run) record(e history.Event) {
	e.At = r.writer.Since(time.Now())
	r.writer.Record(e)
	r.meter.Add(&e)
}

// play is everything that is written down.
func (r *run) play(ctx context.Context) error {
	r.abilities()
	r.world()
	fmt.Fprintf(r.Out, "making %d conversations, and connecting %d devices\n", len(r.conversations), len(r.devices))
	preparing, prepared := r.untilEnough(ctx)
	defer prepared()
	if err := r.create(preparing); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	var devices errgroup.Group
	defer func() {
		stop()
		_ = devices.Wait() // a device has no error of its own
	}()
	r.watch.empty()
	if err := r.start(preparing, running, &devices); err != nil {
		return err
	}
	r.watch.full()
	fmt.Fprintln(r.Out, "all are there; the load begins")
	if err := r.loaded(ctx); err != nil {
		return err
	}
	fmt.Fprintln(r.Out, "the load is over; waiting until everything has come to rest")
	r.latecomers(ctx)
	within := r.Settle + marksWithin
	if !r.settle(ctx) {
		within = 2 * marksWithin // it may be gone for good
	}
	fmt.Fprintln(r.Out, "reading everything back")
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := r.readBack(ctx); err != nil {
		return err
	}
	r.record(history.Event{Kind: history.Complete})
	return nil
}

// loaded makes the load for as long as planned, with what is to happen during it.
func (r *run) loaded(ctx context.Context) error {
	loading, cancel := r.untilEnough(ctx)
	defer cancel()
	if r.Duration > 0 {
		ended := time.AfterFunc(r.Duration, cancel)
		defer ended.Stop()
	}
	r.watch.begin()
	r.meter.From(r.writer.Since(r.watch.began) + r.Warm)
	group, loading := errgroup.WithContext(loading)
	group.Go(func() error { return r.load(loading) })
	group.Go(func() error {
		tell := progress(r.Out, onTerminal(r.Out), r.Duration, &r.stats)
		r.watch.run(loading, func(m Moment) {
			tell(m)
			r.writer.Flush()
		})
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
	err := group.Wait()
	select {
	case <-r.Enough:
		r.note("the load was ended before its time")
	default:
	}
	return err
}

// untilEnough is a context that ends when it is enough, too.
func (r *run) untilEnough(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-r.Enough:
			cancel(errEnough)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

var errEnough = errors.New("it was ended before the load began")

// note writes down what was done to the product.
func (r *run) note(text string) {
	line := text
	if onTerminal(r.Out) {
		line = clearLine + text
	}
	fmt.Fprintln(r.Out, line)
	r.record(history.Event{Kind: history.Remark, Note: text})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, Note{time.Since(r.watch.began).Seconds(), text})
}
