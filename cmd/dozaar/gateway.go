package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/dozaar/dozaar/pkg/api"
	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/gateway"
	"github.com/dozaar/dozaar/pkg/presence"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/pkg/socketio"
)

// gateway builds the role that clients connect to: sockets and HTTP API. It returns where it listens.
func (p *process) gateway(ctx context.Context, c clients) (net.Addr, error) {
	authConfig, err := p.cfg.Auth()
	if err != nil {
		return nil, err
	}
	authConfig.Logger, authConfig.Registerer = p.log, p.metrics
	verifier, err := auth.New(ctx, authConfig)
	if err != nil {
		return nil, err
	}
	p.life.Go("token keys", verifier.Run)
	p.health.Add("token keys", verifier.Ready)

	ephemeral := p.ephemeralRelay(c, "gateway")
	announcer := p.announcer(c, ephemeral)
	p.life.Go("announcer", announcer.Run)

	var g *gateway.Gateway
	leases := presence.NewLeases(presence.LeasesConfig{
		Redis: c.redis, Instance: p.instance, TTL: p.cfg.Lease.PresenceTTL, Grace: p.cfg.Presence.PresenceGrace,
		Forgotten: func(ctx context.Context) { g.Resync(ctx, "leases were lost") },
		Logger:    p.log, Registerer: p.metrics,
	})
	g = gateway.New(gateway.Config{
		Instance: p.instance, Verifier: verifier, Store: c.store, Publisher: c.producer, Leases: leases, Directory: p.directory(c), View: p.view(c), Hider: p.directory(c),
		Relay: ephemeral, Announcer: announcer, Limits: p.cfg.Sockets.limits(), TypingTTL: p.cfg.Presence.TypingTTL,
		Logger: p.log, Registerer: p.metrics, Tracer: p.telling().tracer(),
	})
	p.life.OnStop("leases", func(ctx context.Context) error {
		if err := leases.Release(ctx); err != nil {
			p.log.Warn("not every lease could be given up: those users and rooms count as here for as long as their leases last",
				"at_most", p.cfg.Lease.PresenceTTL, "error", err)
		}
		return nil // who was here has been told goodbye all the same
	})
	p.life.Go("lease heartbeats", leases.Run)
	p.life.Go("gateway", g.Run)
	receiver := relay.NewReceiver(relay.ReceiverConfig{Redis: c.redis, Instance: p.instance, Logger: p.log, Registerer: p.metrics}, g)
	p.life.Go("relay", receiver.Run)
	select {
	case <-receiver.Ready():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return p.serve(ctx, c, verifier, g)
}

// serve puts the sockets and the HTTP API on the network.
func (p *process) serve(ctx context.Context, c clients, verifier *auth.Verifier, g *gateway.Gateway) (net.Addr, error) {
	allowed := p.cfg.HTTP.AllowedOrigins
	if p.cfg.Dev {
		allowed = []string{"*"}
	}
	origins, err := api.NewOrigins(allowed)
	if err != nil {
		return nil, fmt.Errorf("DOZAAR_ALLOWED_ORIGINS: %w", err)
	}
	proxies, err := trustedProxies(p.cfg.HTTP.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("DOZAAR_TRUSTED_PROXIES: %w", err)
	}
	limits := p.cfg.Sockets
	sockets := socketio.New(socketio.Config{
		MaxPayload: int(limits.MaxFrame), SendBuffer: int(limits.SocketBuffer), ConnectTimeout: limits.ConnectTimeout,
		Handshakes: socketio.Rate(limits.RateHandshakes), ConnectionsPerAddress: limits.ConnectionsPerAddress, TrustedProxies: proxies,
		Overload: newFullness(debug.SetMemoryLimit(-1)).overload, ShutdownOver: p.cfg.HTTP.DrainOver, AllowOrigin: origins.AllowOrigin, Logger: p.log, Registerer: p.metrics,
	})
	sockets.Namespace(gateway.Namespace, g)
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", origins.Split(sockets, sockets)) // they refuse foreign origins themselves, and count them
	v1 := origins.Handler(api.New(api.Config{
		Verifier: verifier, Conversations: c.store, History: c.store, Inbox: c.store, Erasures: c.store, Publisher: c.producer,
		Presence: p.view(c), Settings: c.store, Gateways: g, UserRate: api.Rate(limits.RateRequests), Logger: p.log, Registerer: p.metrics,
	}))
	if p.cfg.Dev {
		if err := p.page(mux, c, origins); err != nil {
			return nil, err
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", p.cfg.HTTP.Listen)
	if err != nil {
		return nil, listening("listen", p.cfg.HTTP.Listen, err)
	}
	server := &http.Server{
		Handler:           bodyDeadline(min(30*time.Second, limits.ConnectTimeout), uncleaned("/v1/", v1, mux)),
		ReadHeaderTimeout: min(10*time.Second, limits.ConnectTimeout),
		WriteTimeout:      time.Minute, // sockets have deadlines of their own
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug), // what strangers do to a TCP port
	}
	p.life.OnStop("HTTP server", stopHTTP(server))
	p.life.OnStop("sockets", sockets.Shutdown)
	p.life.Go("listener", func(ctx context.Context) error {
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		select {
		case err := <-served:
			return err
		case <-ctx.Done():
		}
		// No new connections from here on, but for who has not noticed yet; those there are drain in the two steps above.
		p.health.Drain()
		time.Sleep(p.cfg.HTTP.DrainDelay)
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		if err := <-served; !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return listener.Addr(), nil
}

// uncleaned gives h what is under prefix as it was asked for: a ServeMux would answer paths such as /v1//x with
// a redirect of its own, in which neither the API's rules nor its problems hold.
func uncleaned(prefix string, h, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix) {
			h.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

func (c SocketConfig) limits() gateway.Limits {
	bucket := func(r Rate) gateway.Bucket { return gateway.Bucket{PerSecond: rate.Limit(r.PerSecond), Burst: r.Burst} }
	limits := gateway.DefaultLimits()
	limits.SocketsPerUser, limits.JoinsAtOnce = c.SocketsPerUser, c.JoinsAtOnce
	limits.Send, limits.Join, limits.Typing = bucket(c.RateMessages), bucket(c.RateJoins), bucket(c.RateTyping)
	limits.Read, limits.Status, limits.Refresh = bucket(c.RateReads), bucket(c.RateStatus), bucket(c.RateRefresh)
	limits.Unknown, limits.Refusals = bucket(c.RateUnknown), bucket(c.RateRefusals)
	return limits
}
