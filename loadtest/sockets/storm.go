package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/wire"
)

// stormPatience is how long one try may take.
const stormPatience = 10 * time.Second

// A storm is what somebody does to the server who means it harm. The witness is a client that is connected all the
// while and asks one question after the other; its patience is what is measured.
type attackKind struct {
	kind, what string
	perSec     float64 // tries; 0 for as many as the machine gives
}

func storms() []attackKind {
	all := []attackKind{{what: "quiet"}}
	for _, k := range []attackKind{
		{kind: "user", what: "one user past the limit of sockets"},
		{kind: "address", what: "one address past the limit of connections"},
		{kind: "handshakes", what: "everybody past the rate of handshakes"},
		{kind: "strangers", what: "an event in place of CONNECT"},
	} {
		for _, perSec := range []float64{3000, 0} {
			k.perSec = perSec
			all = append(all, k)
		}
	}
	return all
}

const (
	stormers = 32 // tries under way at a time
	askEvery = time.Millisecond
)

// placement is where the three processes run.
type placement struct {
	name                      string
	server, witness, attacker []string // put in front of their commands
}

func placements() []placement {
	return []placement{
		{name: "all on the same cores"},
		{
			name:   "server on one core; witness on another, where the attacker gets what the witness leaves",
			server: []string{"taskset", "-c", "0"}, witness: []string{"taskset", "-c", "1"}, attacker: []string{"taskset", "-c", "1", "chrt", "-i", "0"},
		},
	}
}

// waited is how long the witness waited for its answers.
type waited struct {
	Count         int
	P50, P99, Max float64 // milliseconds
}

// witness asks for as long as told.
func (l *load) witness(c command) (waited, error) {
	w, err := wire.Dial(context.Background(), wire.Target{Address: c.Address, Connect: "40"})
	if err != nil {
		return waited{}, err
	}
	defer func() { _ = w.Close() }()
	var took []float64
	for end := time.Now().Add(time.Duration(c.ForSec * float64(time.Second))); time.Now().Before(end); time.Sleep(askEvery) {
		began := time.Now()
		if err := w.Ask(`420["echo","`+text+`"]`, "430["); err != nil {
			return waited{}, err
		}
		took = append(took, time.Since(began).Seconds()*1000)
	}
	slices.Sort(took)
	n := len(took)
	return waited{n, took[n/2], took[n*99/100], took[n-1]}, nil
}

// stormed is how often the attacker tried, and how often it was not turned away.
type stormed struct{ Tries, In int64 }

func (l *load) storm(c command) (stormed, error) {
	var tries, in, who atomic.Int64
	if c.Kind == "user" { // has all it may have
		var eves []*wire.Conn
		defer func() {
			for _, eve := range eves {
				_ = eve.Close()
			}
		}()
		for range userSockets {
			eve, err := wire.Dial(context.Background(), wire.Target{Address: c.Address, Connect: `40{"user":"eve"}`})
			if err != nil {
				return stormed{}, err
			}
			eves = append(eves, eve)
		}
	}
	var wg sync.WaitGroup
	began := time.Now()
	end := began.Add(time.Duration(c.ForSec * float64(time.Second)))
	failures := make(chan error, stormers)
	for range stormers {
		wg.Go(func() {
			var kept net.Conn
			for time.Now().Before(end) {
				address := "198.51.100.7"
				n := who.Add(1)
				if c.PerSec > 0 {
					time.Sleep(time.Until(began.Add(time.Duration(float64(n) / c.PerSec * float64(time.Second)))))
				}
				if c.Kind != "address" {
					address = fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
				}
				ok, conn, err := attack(c.Address, c.Kind, address, kept)
				if kept = conn; err != nil {
					failures <- err
					return
				}
				tries.Add(1)
				if ok {
					in.Add(1)
				}
			}
		})
	}
	wg.Wait()
	close(failures)
	return stormed{tries.Load(), in.Load()}, <-failures
}

// attack is one try. It tells whether it was let in, and returns the connection where it is kept.
func attack(server, kind, from string, kept net.Conn) (in bool, conn net.Conn, err error) {
	if conn = kept; conn == nil {
		if conn, err = (&net.Dialer{Timeout: stormPatience}).Dial("tcp", server); err != nil { //nolint:noctx // bounded
			return false, nil, err
		}
	}
	return try(conn, server, kind, from)
}

func try(conn net.Conn, server, kind, from string) (in bool, kept net.Conn, err error) {
	_ = conn.SetDeadline(time.Now().Add(stormPatience))
	request := wire.UpgradeRequest(server, "", "X-Forwarded-For: "+from+"\r\n")
	if kind == "address" {
		request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + from + "\r\n\r\n"
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return false, nil, err
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf) // an answer is written in one go, but for what follows a switch
	if err != nil {
		return false, nil, err
	}
	status := string(buf[9:min(n, 12)])
	if kind == "address" {
		return status == "200", conn, nil
	}
	defer func() { _ = conn.Close() }()
	if status != "101" || kind == "handshakes" {
		return status == "101", nil, nil
	}
	packet := `40{"user":"eve"}`
	if kind == "strangers" {
		packet = `42["let","me","in"]`
	}
	if _, err := conn.Write(wire.AppendText(nil, packet)); err != nil {
		return false, nil, err
	}
	for answer := ""; ; {
		n, err := conn.Read(buf)
		if answer += string(buf[:n]); err != nil || strings.Contains(answer, "44{") {
			return false, nil, nil // refused, or closed
		}
		if strings.Contains(answer, "40{") {
			return true, nil, nil
		}
	}
}

// printStorms measures each storm in each placement: medians of rounds, which take turns.
func printStorms(ctx context.Context, out io.Writer, p plan) error {
	report, err := measureStorms(ctx, p)
	if err != nil {
		return err
	}
	fmt.Fprint(out, report)
	if !p.publish {
		return nil
	}
	return publish(stormMarks, machine(nil)+"\n"+report)
}

func measureStorms(ctx context.Context, p plan) (string, error) {
	var b strings.Builder
	storms := storms()
	for _, where := range placements() {
		if len(where.server) > 0 {
			if _, err := exec.LookPath("taskset"); err != nil {
				return "", err
			}
		}
		p99, p50, tries, cost := make([][]float64, len(storms)), make([][]float64, len(storms)), make([][]float64, len(storms)), make([][]float64, len(storms))
		ratios := make([][]float64, len(storms))
		for range p.rounds {
			for i, storm := range storms {
				w, s, cpu, err := where.run(ctx, storm, p.storm)
				if err != nil {
					return "", fmt.Errorf("%s: %w", storm.what, err)
				}
				p50[i], p99[i] = append(p50[i], w.P50), append(p99[i], w.P99)
				tries[i] = append(tries[i], float64(s.Tries)/p.storm.Seconds())
				cost[i] = append(cost[i], cpu/max(1, float64(s.Tries))*1e6)
				ratios[i] = append(ratios[i], w.P99/p99[0][len(p99[0])-1])
			}
		}
		fmt.Fprintf(&b, "| %s | tries a second | server's µs each | witness p50, ms | p99, ms | p99 ÷ quiet |\n|---|--:|--:|--:|--:|--:|\n", where.name)
		for i, storm := range storms {
			if storm.kind != "" && storm.perSec == 0 {
				storm.what = "the same, as fast as it goes"
			}
			fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.2f | %.2f | %.1f |\n", storm.what, bench.Median(tries[i]), bench.Median(cost[i])*min(1, bench.Median(tries[i])),
				bench.Median(p50[i]), bench.Median(p99[i]), bench.Median(ratios[i]))
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}

// run starts the three and lets the witness ask through one storm.
func (w placement) run(ctx context.Context, storm attackKind, lasting time.Duration) (seen waited, did stormed, cpu float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return seen, did, 0, err
	}
	var all []*process
	defer func() {
		for _, p := range slices.Backward(all) {
			err = errors.Join(err, p.stop())
		}
	}()
	begin := func(name string, front []string, args ...string) *process {
		if err != nil {
			return nil
		}
		command := append(slices.Clone(front), append([]string{self}, args...)...)
		var p *process
		if p, err = start(ctx, name, command[0], command[1:]...); err == nil {
			all = append(all, p)
		}
		return p
	}
	server := begin("server", w.server, "-server", "guarded")
	witness := begin("witness", w.witness, "-client")
	attacker := begin("attacker", w.attacker, "-client")
	if err != nil {
		return seen, did, 0, err
	}
	var listening struct{ Address string }
	if err = server.read(&listening); err != nil {
		return seen, did, 0, err
	}
	if err = witness.ask(command{Do: "witness", Address: listening.Address, ForSec: 0.5}, &seen); err != nil {
		return seen, did, 0, err
	}
	var before, after stat
	if err = server.ask(command{Do: "stat"}, &before); err != nil {
		return seen, did, 0, err
	}
	attacked := make(chan error, 1)
	go func() {
		if storm.kind == "" {
			attacked <- nil
			return
		}
		attacked <- attacker.ask(command{Do: "storm", Address: listening.Address, Kind: storm.kind, PerSec: storm.perSec, ForSec: lasting.Seconds()}, &did)
	}()
	err = witness.ask(command{Do: "witness", Address: listening.Address, ForSec: lasting.Seconds() * 0.9}, &seen)
	err = errors.Join(err, <-attacked)
	if err == nil {
		err = server.ask(command{Do: "stat"}, &after)
	}
	return seen, did, after.CPUSeconds - before.CPUSeconds, err
}
