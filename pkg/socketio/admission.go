package socketio

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// Rate is a token bucket: so many a second in the long run, so many at once. Its zero value is no limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

func (r Rate) limiter() *rate.Limiter {
	if r.PerSecond <= 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(r.PerSecond), max(r.Burst, 1))
}

// comeBack spreads those who were turned away over so many seconds.
const comeBack = 5

// serveHandshake opens a session, as far as the limits go. A refusal costs the client that one request:
// nothing is remembered of it.
func (s *Server) serveHandshake(w http.ResponseWriter, r *http.Request, wantsWebSocket bool) {
	if s.cfg.Overload != nil {
		if why := s.cfg.Overload(); why != "" {
			s.turnAway(w, wantsWebSocket, http.StatusServiceUnavailable, codeFull, why)
			return
		}
	}
	var at *place
	if s.places != nil {
		var refused string
		at, refused = s.places.take(clientAddress(r.RemoteAddr, r.Header, s.cfg.TrustedProxies), time.Now())
		switch refused {
		case refusedCrowded:
			s.turnAway(w, wantsWebSocket, http.StatusTooManyRequests, codeCrowded, refused)
			return
		case refusedHasty:
			s.turnAway(w, wantsWebSocket, http.StatusTooManyRequests, codeHasty, refused)
			return
		}
	}
	// Asked last: those who are refused for their address take nobody else's turn.
	if !s.handshakes.Allow() {
		s.places.giveBack(at)
		s.turnAway(w, wantsWebSocket, http.StatusServiceUnavailable, codeBusy, "handshake rate")
		return
	}
	if wantsWebSocket {
		s.serveWebSocket(w, r, at)
		return
	}
	s.servePollingHandshake(w, r, at)
}

// turnAway refuses a handshake that would do later, and says when.
func (s *Server) turnAway(w http.ResponseWriter, wantsWebSocket bool, status int, code errorCode, why string) {
	transport := transportPolling
	if wantsWebSocket {
		transport = transportWebSocket
	}
	s.metrics.shakes.WithLabelValues(transport, shakeRefused).Inc()
	w.Header().Set("Retry-After", strconv.Itoa(1+rand.N(comeBack)))
	s.refuse(w, status, code, why)
}
