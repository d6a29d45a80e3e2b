package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Config is how to reach the cluster, and where to tell what happens.
type Config struct {
	Brokers    []string              // host:port, at least one
	ClientID   string                // what the brokers call us in their logs; default "dozaar"
	TLS        *tls.Config           // nil: none; the broker's name is checked against its certificate
	SASL       SASL                  // zero: none
	Logger     *slog.Logger          // default: discard
	Registerer prometheus.Registerer // default: none
	Traces     trace.TracerProvider  // nil: nothing is traced
}

func (c *Config) defaults() error {
	if len(c.Brokers) == 0 {
		return errors.New("kafka: no brokers are configured")
	}
	if _, err := c.SASL.options(); err != nil {
		return err
	}
	if c.ClientID == "" {
		c.ClientID = "dozaar"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	return nil
}

// Ping fails, without trying long, where no broker answers.
func Ping(ctx context.Context, cfg Config) error {
	cfg.Logger = nil // its error says it all
	if err := cfg.defaults(); err != nil {
		return err
	}
	client, err := kgo.NewClient(cfg.options(kgo.RequestRetries(0))...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("kafka: %w", cfg.SASL.explained(away(err)))
	}
	return nil
}

func (c *Config) options(more ...kgo.Opt) []kgo.Opt {
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.WithLogger(clientLog{c.Logger}),
		// A broker that dies or hangs is found out within seconds: who leads now is asked again a second after it was
		// told last, where the library would let five pass; and a request is given up four seconds after it should have
		// been answered, where it would let ten.
		kgo.MetadataMinAge(time.Second),
		kgo.RequestTimeoutOverhead(4 * time.Second),
		// And one that is back is found within seconds. A dial that began before waits for the kernel's next try, each twice
		// as late as the one before: after 1, 3 and 7 s. The library would wait 10 s for a dial, and 5 s between two.
		kgo.DialTimeout(3 * time.Second),
		kgo.RetryBackoffFn(backoff),
	}
	if c.Traces != nil { // a producer's records take the trace along, in a header
		tracer := kotel.NewTracer(kotel.TracerProvider(c.Traces), kotel.TracerPropagator(propagation.TraceContext{}))
		options = append(options, kgo.WithHooks(tracer))
	}
	if c.TLS != nil {
		options = append(options, kgo.DialTLSConfig(c.TLS)) // each dial sets the name to check
	}
	mechanism, _ := c.SASL.options() // defaults has looked at the error
	return append(append(options, mechanism...), more...)
}

// backoff is how long to wait after so many failures: 250 ms, 500 ms, then a second, each by up to a fifth sooner or later.
func backoff(fails int) time.Duration {
	d := min(250*time.Millisecond<<min(max(fails-1, 0), 10), time.Second)
	return time.Duration((0.8 + 0.4*rand.Float64()) * float64(d))
}

// clientLog gives the client library's log to slog. What it calls information is of interest only when
// debugging it.
type clientLog struct{ log *slog.Logger }

func (l clientLog) Level() kgo.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelWarn
}

func (l clientLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug
	switch level {
	case kgo.LogLevelError:
		to = slog.LevelError
	case kgo.LogLevelWarn:
		to = slog.LevelWarn
	}
	l.log.Log(context.Background(), to, "kafka client: "+msg, keyvals...)
}

// register registers a collector, or gives the one of the same name that is there: several consumers of
// one process share theirs, apart by the label `group`.
func register[C prometheus.Collector](r prometheus.Registerer, c C) (C, error) {
	err := r.Register(c)
	if there, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := there.ExistingCollector.(C); ok {
			return same, nil
		}
	}
	if err != nil {
		return c, fmt.Errorf("kafka: register metrics: %w", err)
	}
	return c, nil
}
