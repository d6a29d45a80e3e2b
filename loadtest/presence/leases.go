package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
)

// measureSteady has the users there, lets the renewals spread, and looks at one round of them.
func measureSteady(ctx context.Context, p plan, r *server, child *bench.Child) (string, error) {
	empty, err := r.used(ctx, child.PID())
	if err != nil {
		return "", err
	}
	var a arrived
	if err := child.Ask(command{Arrive: p.users}, &a); err != nil {
		return "", err
	}
	interval := p.ttl / 3
	if err := sleep(ctx, interval+2*time.Second); err != nil {
		return "", err
	}
	before, err := r.used(ctx, child.PID())
	if err != nil {
		return "", err
	}
	if err := sleep(ctx, interval); err != nil {
		return "", err
	}
	after, err := r.used(ctx, child.PID())
	if err != nil {
		return "", err
	}
	u, seconds := after.since(before), after.at.Sub(before.at).Seconds()
	perHour := 3600 / seconds / float64(p.users)
	table := fmt.Sprintf("**Leases:** %s users of one gateway, a TTL of %s, watched for %.0f s.\n\n", bench.Thousands(p.users), p.ttl, seconds)
	table += "| | measured | a million users, ten gateways |\n|---|---:|---:|\n"
	million := 1e6 / float64(p.users)
	row := func(what string, value float64, form string) {
		table += fmt.Sprintf("| %s | "+form+" | "+form+" |\n", what, value, value*million)
	}
	row("Redis operations a second, those in scripts included", u.operations/seconds, "%.0f")
	row("KiB a second to and from Redis", u.bytes/seconds/1024, "%.0f")
	row("Redis' CPU, percent of a core", 100*u.redisCPU/seconds, "%.1f")
	row("the gateways' CPU for it, percent of a core", 100*u.ourCPU/seconds, "%.1f")
	row("MiB in Redis", (after.memory-empty.memory)/(1<<20), "%.0f")
	table += fmt.Sprintf("\nA user costs %.1f operations and %.1f KiB an hour, and %.0f bytes of Redis' memory.\n",
		u.operations*perHour, u.bytes*perHour/1024, (after.memory-empty.memory)/float64(p.users))
	return table, nil
}

// measureStorm has many arrive at once, each with ten people to tell.
func measureStorm(ctx context.Context, p plan, r *server, child *bench.Child) (string, error) {
	before, err := r.used(ctx, child.PID())
	if err != nil {
		return "", err
	}
	const peers = 10
	var a arrived
	if err := child.Ask(command{Arrive: p.storm, Peers: peers}, &a); err != nil {
		return "", err
	}
	after, err := r.used(ctx, child.PID())
	if err != nil {
		return "", err
	}
	u, n := after.since(before), float64(p.storm)
	slices.Sort(a.Batches)
	table := fmt.Sprintf("**A storm:** %s users arrive at that gateway at once, and each is told to %d others.\n\n| | |\n|---|---:|\n", bench.Thousands(p.storm), peers)
	table += fmt.Sprintf("| all have leases after | %.2f s |\n", a.Written/1000)
	table += fmt.Sprintf("| a batch of %d: median, longest | %.1f ms, %.1f ms |\n", batch, bench.Median(a.Batches), a.Batches[len(a.Batches)-1])
	table += fmt.Sprintf("| all are told after | %.1f s |\n", a.Announced/1000)
	table += fmt.Sprintf("| Redis operations a user, leases and telling | %.1f |\n", u.operations/n)
	table += fmt.Sprintf("| KiB a user to and from Redis | %.2f |\n", u.bytes/n/1024)
	table += fmt.Sprintf("| CPU of the gateway, of Redis | %.1f s, %.1f s |\n", u.ourCPU, u.redisCPU)
	return table, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
