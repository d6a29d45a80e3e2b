package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/dozaar/dozaar/pkg/chat"
)

type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	panics   prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	f := promauto.With(r)
	return metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "dozaar_http_requests_total",
			Help: "Requests of the HTTP API, by route and status.",
		}, []string{"route", "code"}),
		duration: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "dozaar_http_request_duration_seconds",
			Help:    "Time from a request's header to the end of its answer, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15},
		}, []string{"route"}),
		panics: f.NewCounter(prometheus.CounterOpts{
			Name: "dozaar_http_panics_total",
			Help: "Requests of the HTTP API that ended in a panic.",
		}),
	}
}

// guard bounds a request in time, keeps a panic to itself, and leaves a trace of every request that
// holds neither its query nor its body nor any of its headers.
func (a *api) guard(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		deadlines(w, began.Add(a.Timeout))
		ctx, cancel := context.WithTimeout(r.Context(), a.Timeout)
		defer cancel()
		r = r.WithContext(chat.WithTraceParent(ctx, r.Header.Get("Traceparent")))
		rec := &recorder{ResponseWriter: w}
		defer func() {
			a.recovered(rec, r, recover())
			route := r.Pattern
			if route == "" {
				route = "none"
			}
			took := time.Since(began)
			a.metrics.requests.WithLabelValues(route, strconv.Itoa(rec.status)).Inc()
			a.metrics.duration.WithLabelValues(route).Observe(took.Seconds())
			a.Logger.LogAttrs(r.Context(), slog.LevelDebug, "http request",
				slog.String("method", r.Method), slog.String("route", route),
				slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes), slog.Duration("took", took))
		}()
		// The mux would answer with a redirect that is no problem document and repeats the query.
		if path.Clean(r.URL.Path) != r.URL.Path {
			a.unknownPath().ServeHTTP(rec, r)
			return
		}
		mux.ServeHTTP(rec, r)
	})
}

// recovered makes a 500 of a panic.
func (a *api) recovered(w *recorder, r *http.Request, cause any) {
	if cause == nil {
		return
	}
	a.metrics.panics.Inc()
	a.Logger.ErrorContext(r.Context(), "http handler panicked", "route", r.Pattern, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
	if w.status == 0 {
		writeProblem(w, http.StatusInternalServerError, chat.ErrInternal)
	}
}

// takeAnswer is how long a client has for taking an answer that was made at the last moment.
const takeAnswer = 5 * time.Second

// deadlines bounds how long a client may take to send the rest of its request and to take the answer:
// one that stalls would hold a goroutine and the answer for as long as it likes. They are this
// request's only: net/http takes them off before the connection's next one.
func deadlines(w http.ResponseWriter, until time.Time) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(until) // not supported by a test's recorder, and by nothing else
	_ = c.SetWriteDeadline(until.Add(takeAnswer))
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
