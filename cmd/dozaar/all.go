package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
)

// runAll runs every role in one process until ctx ends.
func runAll(ctx context.Context, cfg Config, out, logs io.Writer) error {
	p, err := newProcess(cfg, out, logs)
	if err != nil {
		return err
	}
	return p.run(ctx, func(ctx context.Context) error {
		e, err := p.engines()
		if err != nil {
			return err
		}
		c, err := p.connect(ctx, e)
		if err != nil {
			return err
		}
		if err := p.deliver(c); err != nil {
			return err
		}
		if err := p.presence(c); err != nil {
			return err
		}
		address, err := p.gateway(ctx, c)
		if err != nil {
			return err
		}
		p.greet(address, e)
		return nil
	})
}

// greet says where to go, on standard output; the log is on standard error.
func (p *process) greet(address net.Addr, e engines) {
	base := "http://" + address.String()
	p.log.Info("started", "listen", address.String(), "admin_listen", p.cfg.Process.AdminListen, "data_dir", p.cfg.Data.DataDir, "dev", p.cfg.Dev)
	if tcp, ok := address.(*net.TCPAddr); ok && p.cfg.Dev && !tcp.IP.IsLoopback() {
		p.log.Warn("--dev signs in anybody who can reach this address", "listen", address.String())
		if tcp.IP.IsUnspecified() {
			base = fmt.Sprintf("http://<this machine's address>:%d", tcp.Port)
		}
	}
	var b strings.Builder
	line := func(what, where string) { fmt.Fprintf(&b, "  %-17s%s\n", what, where) }
	fmt.Fprintf(&b, "\nDozaar is running. Its data is in %s.\n\n", p.cfg.Data.DataDir)
	if p.cfg.Dev {
		line("Click here", base+"/")
	}
	line("Socket.IO", base+"/chat")
	line("HTTP API", base+"/v1")
	line("Metrics", "http://"+p.cfg.Process.AdminListen+"/metrics")
	line("Kafka", strings.Join(e.brokers, ", "))
	line("Schema registry", e.registry)
	if p.cfg.Dev {
		line("A token", "bin/dozaar token --user 123e4567-e89b-12d3-a456-426614174000 --username Bea --data-dir "+p.cfg.Data.DataDir)
	}
	b.WriteString("\nCtrl-C stops it.\n\n")
	_, _ = io.WriteString(p.out, b.String())
}
