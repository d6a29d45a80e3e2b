package main

import (
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
		Peers: c.store, Directory: p.directory(c), Relay: r, Logger: p.log, Registerer: p.metrics,
	})
}

// ephemeralRelay sends what need not be healed when it is lost: typing ends by itself, and presence is
// told again until it is confirmed.
func (p *process) ephemeralRelay(c clients, role string) *relay.Sender {
	return relay.NewSender(relay.SenderConfig{
		Redis: c.redis, Name: role + "-" + p.instance, Ephemeral: true, Logger: p.log, Registerer: p.metrics,
	})
}
