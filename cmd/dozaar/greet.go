package main

import (
	"fmt"
	"io"
	"net"
	"strings"
)

// greet says where to go, on standard output; the log is on standard error. Address is the gateway's, or nil.
func (p *process) greet(address net.Addr, e engines) {
	fields := []any{"role", p.role, "instance", p.instance, "admin_listen", p.adminAddress.String()}
	if address == nil {
		p.log.Info("started", fields...)
		return
	}
	p.log.Info("started", append(fields, "listen", address.String(), "dev", p.cfg.Dev)...)
	base := "http://" + address.String()
	if tcp, ok := address.(*net.TCPAddr); ok && p.cfg.Dev && !tcp.IP.IsLoopback() {
		p.log.Warn("--dev signs in anybody who can reach this address", "listen", address.String())
		if tcp.IP.IsUnspecified() {
			base = fmt.Sprintf("http://<this machine's address>:%d", tcp.Port)
		}
	}
	var b strings.Builder
	line := func(what, where string) { fmt.Fprintf(&b, "  %-17s%s\n", what, where) }
	if p.role == roleAll {
		fmt.Fprintf(&b, "\nDozaar is running. Its data is in %s.\n\n", p.cfg.Data.DataDir)
	} else {
		fmt.Fprintf(&b, "\nThe gateway is running.\n\n")
	}
	if p.cfg.Dev {
		line("Click here", base+"/")
	}
	line("Socket.IO", base+"/chat")
	line("HTTP API", base+"/v1")
	line("Metrics", "http://"+p.adminAddress.String()+"/metrics")
	line("Kafka", strings.Join(e.brokers, ", "))
	line("Schema registry", URL(e.registry).String())
	if p.cfg.Dev {
		line("A token", "bin/dozaar token --user 123e4567-e89b-12d3-a456-426614174000 --username Bea --data-dir "+p.cfg.Data.DataDir)
	}
	b.WriteString("\nCtrl-C stops it.\n\n")
	_, _ = io.WriteString(p.out, b.String())
}
