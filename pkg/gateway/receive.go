package gateway

import (
	"context"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/pkg/tracing"
)

// Receive takes one envelope from the relay to the sockets it concerns. It does not block: what
// needs the store is left to a fill.
func (g *Gateway) Receive(_ context.Context, e relay.Envelope) {
	switch {
	case e.Message != nil:
		g.receiveMessage(e.Message)
	case e.Read != nil:
		g.receiveRead(e.Read)
	case e.Typing != nil:
		g.receiveTyping(e.Typing)
	case e.Members != nil:
		g.partedWays(e.Members.Removed)
		if r := g.rooms.get(e.Members.ConversationID); r != nil {
			r.told(e.Members)
			g.need(r, 0)
		}
	case e.Presence != nil:
		g.receivePresence(e.Presence)
	case e.Conflict != nil:
		g.receiveConflict(e.Conflict)
	case e.Settings != nil:
		g.leasing.wishesChanged(e.Settings.UserID)
	}
}

// Resync is called by the relay when envelopes may have been lost. That of a removed member may be among them, so no room
// delivers anything more before it has read its members again.
func (g *Gateway) Resync(_ context.Context, reason string) {
	g.log.Info("envelopes may have been lost: rooms are read again, and who is online", "reason", reason)
	g.heard.missed(reason)
	for _, r := range g.rooms.list() {
		r.mu.Lock()
		r.stale++
		r.mu.Unlock()
	}
	for _, wake := range []chan struct{}{g.resyncs, g.rechecks} {
		select {
		case wake <- struct{}{}:
		default: // one is waiting already, and will see everything
		}
	}
}

// Unheard is called by the relay while somebody who sends is not heard. Rooms are looked at, so that what is stored is shown all the
// same: a deliver that alone cannot reach Redis goes on storing.
func (g *Gateway) Unheard(context.Context) {
	select {
	case g.unheard <- struct{}{}:
	default: // the last look is not over
	}
}

func (g *Gateway) receiveMessage(e *relay.Message) {
	m := e.Message
	if r := g.rooms.get(m.ConversationID); r != nil {
		ctx := g.base
		end := func(error) {}
		if e.Trace != "" {
			ctx, end = tracing.Begin(tracing.Under(ctx, e.Trace), g.Tracer, "new:message")
		}
		delivered, duplicate := r.offer(m, e.Revision)
		end(nil)
		g.metrics.delivered(ctx, m, delivered)
		if duplicate {
			g.metrics.duplicates.Inc()
		}
		g.fillIfNeeded(r)
	}
	g.notify(m, e.Notify)
}

// receiveConflict tells a sender that a client message id had been used for something else.
func (g *Gateway) receiveConflict(e *relay.Conflict) {
	for _, s := range g.sessions.of(e.UserID) {
		s.emit("exception", exception{
			Event: "send:message", Error: chat.ErrConflict.Error(), Code: chat.CodeConflict, Field: "clientMessageId",
			ConversationID: e.ConversationID, ClientMessageID: e.ClientMessageID,
		})
	}
}
