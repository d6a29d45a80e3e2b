package main

import (
	"slices"

	"github.com/dozaar/dozaar/pkg/presence"
	"github.com/dozaar/dozaar/pkg/relay"
	streamspresence "github.com/dozaar/dozaar/streams/presence"
)

// presence builds the role that finds who went offline and tells it.
func (p *process) presence(c clients) error {
	announcer := p.announcer(c, p.ephemeralRelay(c, "presence"))
	sweeper := presence.NewSweeper(presence.SweeperConfig{
		Redis: c.redis, TTL: p.cfg.Lease.PresenceTTL, Logger: p.log, Registerer: p.metrics,
	}, announcer.Enqueue)
	p.life.Go("presence", streamspresence.New(sweeper, announcer).Run)
	return nil
}

func (p *process) announcer(c clients, r *relay.Sender) *streamspresence.Announcer {
	return streamspresence.NewAnnouncer(streamspresence.Config{
		Peers: c.store, MaxPeers: presence.MaxPeers, Directory: p.directory(c), Relay: r, Publisher: c.producer,
		Off: p.cfg.Audience.audience() == presence.Nobody, Logger: p.log, Registerer: p.metrics,
	})
}

// ephemeralRelay sends what need not be healed when it is lost: typing ends by itself, and presence is
// told again until it is confirmed.
func (p *process) ephemeralRelay(c clients, role string) *relay.Sender {
	return relay.NewSender(relay.SenderConfig{
		Redis: c.redis, Name: role + "-" + p.instance, Ephemeral: true, Logger: p.log, Registerer: p.metrics,
	})
}

// view is what users may see of each other.
func (p *process) view(c clients) *presence.View {
	return presence.NewView(p.directory(c), p.cfg.Audience.audience(), c.store)
}

func (c AudienceConfig) audience() presence.Audience { return presence.Audience(c.PresenceAudience) }

func (c AudienceConfig) check(p *problems) {
	if !slices.Contains(presence.Audiences(), c.audience()) {
		p.add("presence-audience", "must be everyone, members or nobody, is %q", c.PresenceAudience)
	}
}
