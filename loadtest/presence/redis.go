package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/pkg/redis"
)

// server is a redis-server of this run's own, which keeps nothing.
type server struct {
	addr, version string
	cmd           *exec.Cmd
	dir           string
	client        redis.Client
}

func startRedis(ctx context.Context) (*server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server is needed: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &server{addr: listener.Addr().String()}
	_, port, _ := net.SplitHostPort(r.addr)
	_ = listener.Close()
	if r.dir, err = os.MkdirTemp("", "dozaar-presence-"); err != nil {
		return nil, err
	}
	r.cmd = exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--dir", r.dir, "--save", "", "--appendonly", "no") //nolint:gosec,noctx // stopped by stop
	if err := r.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.dir))
	}
	if r.client, err = redis.Open(redis.Config{Addrs: []string{r.addr}}); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		info, err := r.client.InfoMap(ctx, "server").Result()
		if err == nil {
			r.version = info["Server"]["redis_version"]
			return r, nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return nil, errors.Join(err, r.stop())
		}
	}
}

func (r *server) stop() error {
	if r.client != nil {
		_ = r.client.Close()
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	return os.RemoveAll(r.dir)
}

// usage is what Redis and a process have used so far.
type usage struct {
	at                time.Time
	operations, bytes float64
	memory            float64
	redisCPU, ourCPU  float64 // seconds
}

// used asks Redis, and /proc for the process of that pid.
func (r *server) used(ctx context.Context, pid int) (u usage, err error) {
	info, err := r.client.InfoMap(ctx, "stats", "memory").Result()
	if err != nil {
		return u, err
	}
	number := func(section, field string) float64 {
		n, parseErr := strconv.ParseFloat(info[section][field], 64)
		err = errors.Join(err, parseErr)
		return n
	}
	u.at = time.Now()
	u.operations = number("Stats", "total_commands_processed")
	u.bytes = number("Stats", "total_net_input_bytes") + number("Stats", "total_net_output_bytes")
	u.memory = number("Memory", "used_memory")
	var redisErr, ourErr error
	u.redisCPU, redisErr = bench.CPUSeconds(r.cmd.Process.Pid)
	u.ourCPU, ourErr = bench.CPUSeconds(pid)
	return u, errors.Join(err, redisErr, ourErr)
}

// since is what was used between two moments.
func (u usage) since(before usage) usage {
	return usage{
		operations: u.operations - before.operations, bytes: u.bytes - before.bytes, memory: u.memory - before.memory,
		redisCPU: u.redisCPU - before.redisCPU, ourCPU: u.ourCPU - before.ourCPU,
	}
}
