package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// role is a deliver, while it runs.
type role struct {
	env   []string
	log   string
	admin string
	cmd   *exec.Cmd
	ended chan error
}

func (d *role) start(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		return err
	}
	d.admin = l.Addr().String()
	log, err := os.Create(d.log)
	if err = errors.Join(err, l.Close()); err != nil {
		return err
	}
	defer log.Close()                             //nolint:errcheck // the child has its own
	d.cmd = exec.Command("bin/dozaar", "deliver") //nolint:noctx // stop ends it
	d.cmd.Env = slices.Concat(d.env, []string{"DOZAAR_ADMIN_LISTEN=" + d.admin})
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours to pass on
	if err := d.cmd.Start(); err != nil {
		return err
	}
	d.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan error) { ended <- cmd.Wait() }(d.cmd, d.ended)
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if response, err := http.Get("http://" + d.admin + "/readyz"); err == nil { //nolint:noctx // to ourselves
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	said, _ := os.ReadFile(d.log)
	return fmt.Errorf("deliver is not ready:\n%s", said)
}

func (d *role) stop() error {
	if d.cmd == nil {
		return nil
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	d.cmd = nil
	return <-d.ended
}

// sight is what deliver tells of itself. Times are in seconds, memory is in bytes.
type sight struct {
	stored              histogram
	parked, cpu, memory float64
}

func (d *role) look(ctx context.Context) (s sight, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.admin+"/metrics", nil)
	if err != nil {
		return s, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return s, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return s, err
	}
	first := func(name string) *dto.Metric {
		if f := families[name]; f != nil {
			return f.GetMetric()[0]
		}
		return &dto.Metric{}
	}
	s.stored = histogram{first("dozaar_deliver_produced_to_stored_seconds").GetHistogram()}
	s.parked = first("dozaar_deliver_parked_conversations").GetGauge().GetValue()
	s.cpu = first("process_cpu_seconds_total").GetCounter().GetValue()
	s.memory = first("process_resident_memory_bytes").GetGauge().GetValue()
	return s, nil
}

type histogram struct{ *dto.Histogram }

func (h histogram) count() float64 { return float64(h.GetSampleCount()) }

// since is what was counted after an earlier look.
func (h histogram) since(earlier histogram) histogram {
	d := &dto.Histogram{}
	n := h.GetSampleCount() - earlier.GetSampleCount()
	d.SampleCount = &n
	for i, b := range h.GetBucket() {
		c := b.GetCumulativeCount()
		if i < len(earlier.GetBucket()) {
			c -= earlier.GetBucket()[i].GetCumulativeCount()
		}
		bound := b.GetUpperBound()
		d.Bucket = append(d.Bucket, &dto.Bucket{CumulativeCount: &c, UpperBound: &bound})
	}
	return histogram{d}
}

// quantile is the upper bound of the bucket in which it lies.
func (h histogram) quantile(q float64) float64 {
	for _, b := range h.GetBucket() {
		if float64(b.GetCumulativeCount()) >= q*h.count() {
			return b.GetUpperBound()
		}
	}
	return math.Inf(1)
}
