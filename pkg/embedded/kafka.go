package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dozaar/dozaar/pkg/filelock"
)

// KafkaConfig is the embedded log's configuration.
type KafkaConfig struct {
	Dir    string // its folder, made if missing; no other process may use it
	Listen string // host:port on the loopback; default 127.0.0.1 and a free port

	MaxAge   time.Duration // older records are deleted; default 24 h
	MaxBytes int64         // what the records may take on disk, all partitions together; default 256 MiB

	// Protect names the consumer groups whose unread records are never deleted. When these alone fill
	// the log, records of the groups' topics are refused until the groups have caught up.
	Protect []string

	Interval time.Duration    // how often the two limits are enforced; default 10 s
	Logger   *slog.Logger     // default: discard
	Now      func() time.Time // default time.Now
}

func (c *KafkaConfig) defaults() error {
	if c.Dir == "" {
		return errors.New("embedded kafka: no data folder is given")
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.MaxAge <= 0 {
		c.MaxAge = 24 * time.Hour
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 256 << 20
	}
	if c.Interval <= 0 {
		c.Interval = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// Kafka is a broker in this process. What it has acknowledged is on disk, synced.
type Kafka struct {
	cfg     KafkaConfig
	cluster *kfake.Cluster
	addr    string
	unlock  func()
	full    *kfake.FaultHandle // while records are refused
}

// StartKafka starts a broker on the data in its folder. Run enforces its limits; Close ends it.
func StartKafka(cfg KafkaConfig) (*Kafka, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	if err := loopback(cfg.Listen); err != nil {
		return nil, fmt.Errorf("embedded kafka: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded kafka: %w", err)
	}
	unlock, err := filelock.Lock(filepath.Join(cfg.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("embedded kafka: %s is in use by another process: %w", cfg.Dir, err)
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID("dozaar-embedded"),
		kfake.DataDir(filepath.Join(cfg.Dir, "log")),
		kfake.SyncWrites(),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listen(cfg.Listen) }),
		kfake.WithLogger(brokerLog{cfg.Logger}),
		kfake.BrokerConfigs(brokerSettings(cfg.MaxBytes)),
	)
	if err != nil {
		unlock()
		return nil, fmt.Errorf("embedded kafka: %w", err)
	}
	return &Kafka{cfg: cfg, cluster: cluster, addr: cluster.ListenAddrs()[0], unlock: unlock}, nil
}

// brokerSettings are those that matter for a log that has to survive.
//
// The library's own retention is switched off by an interval of a hundred years: it deletes a partition's
// last record too, and a partition without a record starts again at offset 0 when the process does. That
// would give new records the positions of old ones. Run deletes instead, and always leaves one record.
func brokerSettings(maxBytes int64) map[string]string {
	const hundredYears = 100 * 365 * 24 * time.Hour
	segment := min(max(maxBytes/1024, 64<<10), 1<<20)
	return map[string]string{
		"log.cleaner.backoff.ms":    strconv.FormatInt(hundredYears.Milliseconds(), 10),
		"log.segment.bytes":         strconv.FormatInt(segment, 10), // what is deleted goes by whole segments
		"offsets.retention.minutes": strconv.Itoa(10 * 365 * 24 * 60),
		"state.log.compact.bytes":   strconv.Itoa(1 << 20),
	}
}

// Addr is where it listens: host:port.
func (k *Kafka) Addr() string { return k.addr }

// Close ends the broker and writes down what makes the next start fast. Clients should be gone before.
func (k *Kafka) Close() error {
	k.cluster.Close()
	k.unlock()
	return nil
}

// Run enforces the limits until ctx ends.
func (k *Kafka) Run(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(k.addr), kgo.ClientID("dozaar-embedded-retention"))
	if err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	defer client.Close()
	r := retention{Kafka: k, admin: kadm.NewClient(client)}
	ticker := time.NewTicker(k.cfg.Interval)
	defer ticker.Stop()
	for {
		if err := r.enforce(ctx); err != nil && ctx.Err() == nil {
			k.cfg.Logger.Error("cannot delete old records of the embedded log", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func listen(address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(context.Background(), "tcp", address)
}

// loopback refuses an address that others could reach: the engine asks nobody for a password.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("listen address %s: only the loopback is allowed", address)
	}
	return nil
}

// brokerLog gives the broker's log to slog.
type brokerLog struct{ log *slog.Logger }

func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	}
	if l.log.Enabled(context.Background(), to) {
		l.log.Log(context.Background(), to, "embedded kafka: "+fmt.Sprintf(format, args...))
	}
}
