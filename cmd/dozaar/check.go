package main

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/observe"
)

func (c ProcessConfig) check(p *problems) {
	listenable(p, "admin-listen", c.AdminListen)
	if _, err := observe.ParseLevel(c.LogLevel); err != nil {
		p.add("log-level", "must be debug, info, warn or error, is %q", c.LogLevel)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		p.add("log-format", "must be text or json, is %q", c.LogFormat)
	}
	atLeast(p, "shutdown-timeout", c.ShutdownTimeout, time.Second)
	if u, err := url.Parse(string(c.TraceURL)); c.TraceURL != "" && (err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https")) {
		p.add("trace-url", "must be an http or https URL, is %q", c.TraceURL.String())
	}
	if !(c.TraceRatio >= 0 && c.TraceRatio <= 1) {
		p.add("trace-ratio", "must be between 0 and 1, is %v", c.TraceRatio)
	}
}

func (c HTTPConfig) check(p *problems) {
	listenable(p, "listen", c.Listen)
	atLeast(p, "drain-delay", c.DrainDelay, 0)
	atLeast(p, "drain-over", c.DrainOver, 0)
	for _, origin := range c.AllowedOrigins {
		if !isOrigin(origin) {
			p.add("allowed-origins", "%q is no origin; write scheme and host, such as https://shop.example, or * for all", origin)
		}
	}
	if _, err := trustedProxies(c.TrustedProxies); err != nil {
		p.add("trusted-proxies", "%v", err)
	}
}

// check names every fault of the tokens but a missing key, which only matters to a gateway: CheckGateway.
func (t TokenConfig) check(p *problems) {
	if t.JWTKeysMaxAge < auth.DefaultRefreshInterval {
		p.add("jwt-keys-max-age", "must be at least %s, is %s", auth.DefaultRefreshInterval, t.JWTKeysMaxAge)
	}
	if t.JWTKeyFile != "" {
		if err := auth.CheckKeyFile(t.JWTKeyFile); err != nil {
			p.add("jwt-key-file", "%s: %v", t.JWTKeyFile, err)
		}
	}
	if !t.hasKey() {
		return
	}
	flags := map[string]string{"Secret": "jwt-secret", "JWKSURL": "jwt-jwks-url", "Algorithms": "jwt-algorithms", "Leeway": "jwt-leeway"}
	for _, err := range joined(t.auth().Validate()) {
		if fault, ok := errors.AsType[*auth.FieldError](err); ok {
			p.add(flags[fault.Field], "%s", fault.Message)
		}
	}
}

func (c SocketConfig) check(p *problems) {
	if c.MaxFrame < 1<<10 || c.MaxFrame > 16<<20 {
		p.add("max-frame", "must be between 1KiB and 16MiB, is %s", c.MaxFrame)
	}
	// Less would not do for the largest message beside what a replay lets wait.
	if least := max(c.MaxFrame, 256<<10); c.SocketBuffer < least {
		p.add("socket-buffer", "must be at least the largest frame and 256KiB (%s), is %s", least, c.SocketBuffer)
	}
	if c.SocketsPerUser < 1 {
		p.add("sockets-per-user", "must be at least 1, is %d", c.SocketsPerUser)
	}
	if c.JoinsAtOnce < 1 {
		p.add("joins-at-once", "must be at least 1, is %d", c.JoinsAtOnce)
	}
	atLeast(p, "connect-timeout", c.ConnectTimeout, time.Second)
	if c.ConnectionsPerAddress < 0 {
		p.add("connections-per-address", "must be at least 1, or 0 for any number, is %d", c.ConnectionsPerAddress)
	}
}

func (c LeaseConfig) check(p *problems) { atLeast(p, "presence-ttl", c.PresenceTTL, time.Second) }

func (c PresenceConfig) check(p *problems) {
	atLeast(p, "typing-ttl", c.TypingTTL, 100*time.Millisecond)
}

func (c DataConfig) check(p *problems) {
	if c.DataDir == "" {
		p.add("data-dir", "must name a folder")
	}
}

func (c EmbeddedConfig) check(p *problems) {
	if c.EmbeddedKafka != "" {
		listenable(p, "embedded-kafka", c.EmbeddedKafka)
	}
	if c.EmbeddedRegistry != "" {
		listenable(p, "embedded-registry", c.EmbeddedRegistry)
	}
}

// listenable wants an address to listen on: the host may be empty (every interface), the port 0 (a free one).
func listenable(p *problems, flag, address string) {
	_, port, err := net.SplitHostPort(address)
	if err != nil || !isPort(port, 0) {
		p.add(flag, "%q is no address to listen on; write HOST:PORT, such as 127.0.0.1:3000", address)
	}
}

// dialable wants addresses to connect to.
func dialable(p *problems, flag string, addresses []string) {
	for _, address := range addresses {
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || strings.ContainsAny(host, " /") || !isPort(port, 1) {
			_, shown, ok := strings.Cut(address, "@") // what is before it may be a password
			if !ok {
				shown = address
			}
			p.add(flag, "%q is no address; write HOST:PORT, several separated by commas", shown)
		}
	}
}

func isPort(text string, least int) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= least && n <= 65535
}

func atLeast(p *problems, flag string, value, least time.Duration) {
	if value < least {
		p.add(flag, "must be at least %s, is %s", least, value)
	}
}

// isOrigin takes what a browser puts into the Origin header (RFC 6454, 7), except null: anybody's sandboxed
// frame sends that.
func isOrigin(text string) bool {
	if text == "*" {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "" && u.Host != "" && u.User == nil && text == u.Scheme+"://"+u.Host
}

func same(a, b string) bool {
	_, port, err := net.SplitHostPort(a)
	return err == nil && port != "0" && a == b
}

// joined takes an errors.Join apart.
func joined(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
