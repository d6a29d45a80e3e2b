package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/socketio"
	"github.com/dozaar/dozaar/pkg/tracing"
)

// handler does one client event. payload is the event's first argument. What it returns is the
// acknowledgement, without `ok`; an error becomes {ok: false, …} and `exception`.
type handler func(ctx context.Context, s *session, payload json.RawMessage) (reply any, err error)

// event is one row of the contract's table of client events.
type event struct {
	limit func(*Limits) Bucket
	do    func(*Gateway) handler
}

// events are the client events of the contract, and `auth:refresh`.
var events = map[string]event{
	"join:conversation":  {func(l *Limits) Bucket { return l.Join }, func(g *Gateway) handler { return g.join }},
	"leave:conversation": {func(l *Limits) Bucket { return l.Join }, func(g *Gateway) handler { return g.leave }},
	"send:message":       {func(l *Limits) Bucket { return l.Send }, func(g *Gateway) handler { return g.send }},
	"typing:start":       {func(l *Limits) Bucket { return l.Typing }, func(g *Gateway) handler { return g.typingStart }},
	"typing:stop":        {func(l *Limits) Bucket { return l.Typing }, func(g *Gateway) handler { return g.typingStop }},
	"mark:read":          {func(l *Limits) Bucket { return l.Read }, func(g *Gateway) handler { return g.markRead }},
	"get:online_status":  {func(l *Limits) Bucket { return l.Status }, func(g *Gateway) handler { return g.onlineStatus }},
	"auth:refresh":       {func(l *Limits) Bucket { return l.Refresh }, func(g *Gateway) handler { return g.refresh }},
}

// Event handles one client event: limit, do, then answer by acknowledgement and, where it failed, by `exception`.
func (g *Gateway) Event(ctx context.Context, sock *socketio.Socket, e socketio.Event) {
	var payload json.RawMessage
	if len(e.Args) > 0 {
		payload = e.Args[0]
	}
	g.event(ctx, sock.User().(*session), e.Name, payload, e.Ack)
}

func (g *Gateway) event(ctx context.Context, s *session, name string, payload json.RawMessage, ack func(...any)) {
	known, isKnown := events[name]
	label := name
	if !isKnown {
		label, known.limit = "unknown", func(l *Limits) Bucket { return l.Unknown }
	}
	start := time.Now()
	ctx, end := tracing.Begin(ctx, g.Tracer, label)
	reply, err := func() (any, error) {
		if !s.allow(label, known.limit(&g.Limits)) {
			return nil, chat.ErrRateLimited
		}
		if !isKnown {
			return nil, chat.Invalid("event", "is not an event of this service")
		}
		return known.do(g)(ctx, s, payload)
	}()
	end(err)
	tracing.Observe(ctx, g.metrics.eventSeconds.WithLabelValues(label), time.Since(start).Seconds())
	if err == nil {
		g.metrics.events.WithLabelValues(label, "ok").Inc()
		ack(reply)
		return
	}
	ended := errors.Is(err, socketio.ErrClosed) // the socket, or soon: the gateway stops
	if ended {
		err = errors.Join(chat.ErrUnavailable, err)
	}
	visible := chat.AsError(err)
	code := string(visible.Code)
	left := ended || ctx.Err() != nil && errors.Is(err, context.Canceled)
	if left { // in the middle: nothing has failed
		code = "cancelled"
	}
	g.metrics.events.WithLabelValues(label, code).Inc()
	if !left && (errors.Is(visible, chat.ErrInternal) || errors.Is(visible, chat.ErrUnavailable)) {
		g.log.LogAttrs(ctx, slog.LevelWarn, "events fail", slog.String("event", label), slog.Any("error", err))
	}
	ack(failure{Error: visible.Error(), Code: visible.Code, Field: visible.Field})
	s.except(name, visible)
	if visible.Code == chat.CodeRateLimited && !s.refusals.Allow() {
		s.conn.Close("rate limited")
	}
}

// failure is the acknowledgement of what failed.
type failure struct {
	OK    bool      `json:"ok"`
	Error string    `json:"error"`
	Code  chat.Code `json:"code"`
	Field string    `json:"field,omitempty"`
}

// exception is the contract's `exception` event.
type exception struct {
	Event           string    `json:"event"`
	Error           string    `json:"error"`
	Code            chat.Code `json:"code"`
	Field           string    `json:"field,omitempty"`
	ConversationID  chat.ID   `json:"conversationId,omitzero"`
	ClientMessageID chat.ID   `json:"clientMessageId,omitzero"`
}

// except tells the socket of an error with `exception`.
func (s *session) except(event string, err *chat.Error) {
	s.emit("exception", exception{Event: event, Error: err.Error(), Code: err.Code, Field: err.Field})
}

// emit sends an event to the socket. What cannot be encoded is a fault of ours and has been tested away;
// what cannot be sent is the socket's end, which comes by itself.
func (s *session) emit(event string, payload any) { _ = s.conn.Emit(event, payload) }

// accepted is the acknowledgement of what succeeded; replies with more to say embed it.
type accepted struct {
	OK bool `json:"ok"`
}

var done = accepted{OK: true}
