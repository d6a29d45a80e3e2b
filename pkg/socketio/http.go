package socketio

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// errorCode is what Engine.IO answers a request with that it cannot take.
type errorCode struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

var (
	codeUnknownTransport = errorCode{0, "Transport unknown"}
	codeUnknownSession   = errorCode{1, "Session ID unknown"}
	codeBadMethod        = errorCode{2, "Bad handshake method"}
	codeBadRequest       = errorCode{3, "Bad request"}
	codeForbidden        = errorCode{4, "Pages of this origin may not connect"}
	codeUnsupported      = errorCode{5, "Unsupported protocol version"}
	codeShutdown         = errorCode{3, "Server is shutting down"}
	codeBusy             = errorCode{3, "Too many handshakes"}
	codeFull             = errorCode{3, "Server is full"}
	codeCrowded          = errorCode{3, "Too many connections from one address"}
	codeHasty            = errorCode{3, "Too many handshakes from one address"}
	codeHeader           = errorCode{3, "Header too large"}
	codeTooLarge         = errorCode{3, "Payload too large"}
)

// reject turns a request away.
func (s *Server) reject(w http.ResponseWriter, status int, code errorCode) {
	body, err := json.Marshal(code)
	if err != nil {
		panic(err) // a struct of an int and a string
	}
	_ = s.respond(w, status, "application/json", body)
}

// ServeHTTP takes every request of Engine.IO, whatever its path. It sets no CORS headers and does not
// answer preflights. The server that calls it needs no timeouts for it but ReadHeaderTimeout; a
// WriteTimeout must be longer than PingInterval. A request whose header and query take more than 32 KiB, each field
// counting 100 bytes more than it has, or that has more than 100 fields, is answered 431: a session keeps most of it.
// The body of a POST has to come within WriteTimeout or ConnectTimeout, whichever is less.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		// Before a refusal net/http reads what it can of a body that nobody wanted, for as long as it takes.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(min(s.cfg.WriteTimeout, s.cfg.ConnectTimeout)))
	}
	if s.cfg.AllowOrigin != nil && !s.cfg.AllowOrigin(r) {
		s.refuse(w, http.StatusForbidden, codeForbidden, "origin")
		return
	}
	if tooLarge(r) {
		s.refuse(w, http.StatusRequestHeaderFieldsTooLarge, codeHeader, "header")
		return
	}
	query := r.URL.Query()
	transport, sid := query.Get("transport"), query.Get("sid")
	wantsWebSocket := websocket.IsWebSocketUpgrade(r)
	switch {
	case query.Get("EIO") != "4":
		s.refuse(w, http.StatusBadRequest, codeUnsupported, "protocol version")
	case transport != transportPolling && transport != transportWebSocket:
		s.refuse(w, http.StatusBadRequest, codeUnknownTransport, "transport")
	case wantsWebSocket != (transport == transportWebSocket):
		s.refuse(w, http.StatusBadRequest, codeBadRequest, "transport")
	case query.Has("sid"):
		s.serveSession(w, r, sid)
	case r.Method != http.MethodGet:
		s.refuse(w, http.StatusBadRequest, codeBadMethod, "method")
	case s.closing():
		s.metrics.shakes.WithLabelValues(transport, shakeRefused).Inc()
		s.refuse(w, http.StatusServiceUnavailable, codeShutdown, "shutdown")
	default:
		s.serveHandshake(w, r, wantsWebSocket)
	}
}

func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, sid string) {
	sess := s.session(sid)
	switch {
	case sess == nil:
		s.refuse(w, http.StatusBadRequest, codeUnknownSession, "session")
	case websocket.IsWebSocketUpgrade(r):
		sess.serveUpgrade(w, r)
	case r.Method == http.MethodGet:
		sess.servePoll(w, r)
	case r.Method == http.MethodPost:
		sess.servePost(w, r)
	default:
		s.refuse(w, http.StatusBadRequest, codeBadRequest, "method")
	}
}

func (s *Server) servePollingHandshake(w http.ResponseWriter, r *http.Request, at *place) {
	sess := newSession(s, r)
	sess.place = at
	if !s.open(sess) {
		s.refuse(w, http.StatusServiceUnavailable, codeShutdown, "shutdown")
		return
	}
	body := append([]byte{engineOpen}, s.openPacket(sess.id, false)...)
	if err := sess.respond(w, body); err != nil {
		sess.abort(ReasonTransportError)
	}
}

// refuse is reject, and counts why.
func (s *Server) refuse(w http.ResponseWriter, status int, code errorCode, why string) {
	s.metrics.refusals.WithLabelValues(why).Inc()
	s.reject(w, status, code)
}

// openPacket is the payload of OPEN. A sid needs no escapes.
func (s *Server) openPacket(sid string, upgraded bool) []byte {
	upgrades := `"` + transportWebSocket + `"`
	if upgraded {
		upgrades = ""
	}
	return fmt.Appendf(make([]byte, 0, 160), `{"sid":"%s","upgrades":[%s],"pingInterval":%d,"pingTimeout":%d,"maxPayload":%d}`,
		sid, upgrades, s.cfg.PingInterval.Milliseconds(), s.cfg.PingTimeout.Milliseconds(), s.cfg.MaxPayload)
}
