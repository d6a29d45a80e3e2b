package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// maxFrame is the largest frame by default.
const maxFrame = 256 << 10

// connectTimeout is what the hostile suite sets; by default it is longer than a test should take.
const connectTimeout = 2 * time.Second

// hostile starts the product as one is run that strangers can reach: without --dev, and telling all it
// does, so that what it must not tell would be seen.
func hostile(t *testing.T, extra ...string) *process {
	t.Helper()
	return startGateways(t, 1, append([]string{
		"DOZAAR_LOG_LEVEL=debug", "DOZAAR_ALLOWED_ORIGINS=https://shop.example", "DOZAAR_CONNECT_TIMEOUT=" + connectTimeout.String(),
	}, extra...)...)[0]
}

// TestHostile is what hostile clients try on the wire: handshakes, packets, JSON and frames. (What is in
// tokens and payloads is in js/refusals.test.mjs, floods are in flood_test.go.) Each has its answer or close code; after each
// another client is served, and the process is back to what it was.
func TestHostile(t *testing.T) {
	p := hostile(t)
	w := p.witness()
	for _, test := range []struct {
		name string
		run  func(*testing.T, *process)
	}{
		{"origins", testOrigins},
		{"token in the query", testQueryToken},
		{"deadlines", testDeadlines},
		{"sessions", testSessions},
		{"packets", testPackets},
		{"namespaces", testNamespaces},
		{"JSON", testJSON},
		{"frames", testFrames},
		{"fragments", testFragments},
		{"compression", testCompression},
	} {
		t.Run(test.name, func(t *testing.T) {
			local := *p
			local.t = t
			test.run(t, &local)
			w.t, w.p = t, &local
			w.unharmed(test.name)
		})
	}
	w.t, w.p = t, p
	if got := p.metric("dozaar_socketio_panics_total"); got != 0 {
		t.Errorf("%v panics", got)
	}
}

// request is one of Engine.IO's.
func (p *process) request(method, query, body string, header http.Header) (status int, answer string) {
	p.t.Helper()
	req, err := http.NewRequest(method, "http://"+p.listen+"/socket.io/?"+query, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	return send(p.t, req)
}

// refusedWith asks for a websocket and insists that it is refused.
func (p *process) refusedWith(status int, query string, header http.Header) {
	p.t.Helper()
	conn, res, err := websocket.DefaultDialer.Dial("ws://"+p.listen+"/socket.io/?"+query, header)
	if err == nil {
		_ = conn.Close()
		p.t.Errorf("%s %v: let in", query, header)
	} else if res == nil || res.StatusCode != status {
		p.t.Errorf("%s %v: %v, %v, want %d", query, header, res, err, status)
	}
}

// polling opens a session over polling and returns the query of its requests.
func (p *process) polling() string {
	p.t.Helper()
	status, body := p.request(http.MethodGet, "EIO=4&transport=polling", "", nil)
	_, sid, _ := strings.Cut(body, `"sid":"`)
	sid, _, ok := strings.Cut(sid, `"`)
	if status != http.StatusOK || !ok {
		p.t.Fatalf("polling handshake: %d %s", status, body)
	}
	return "EIO=4&transport=polling&sid=" + sid
}

// Row 7.
func testOrigins(t *testing.T, p *process) {
	session := p.polling()
	before := p.metric(refusalsTotal("origin"))
	for _, origin := range []string{
		"https://evil.example", "null", "https://shop.example.evil.example", "http://shop.example", "https://shop.example:444", "file://", "",
		"https://shop.example, https://evil.example",
	} {
		foreign := http.Header{"Origin": {origin}}
		p.refusedWith(http.StatusForbidden, "EIO=4&transport=websocket", foreign)
		p.refusedWith(http.StatusForbidden, strings.Replace(session, "polling", "websocket", 1), foreign)
		for _, r := range [][3]string{
			{http.MethodGet, "EIO=4&transport=polling", ""}, {http.MethodGet, session, ""},
			{http.MethodPost, session, "40/chat,"}, {http.MethodOptions, "EIO=4&transport=polling", ""},
		} {
			if status, body := p.request(r[0], r[1], r[2], foreign); status != http.StatusForbidden {
				t.Errorf("%s from %q: %d %s", r[0], origin, status, body)
			}
		}
	}
	if got := p.metric(refusalsTotal("origin")) - before; got != 8*6 {
		t.Errorf("%v refusals counted, want %d", got, 8*6)
	}
	for _, origin := range []string{"https://shop.example", "http://" + p.listen} {
		c, _, err := p.dialAs(http.Header{"Origin": {origin}})
		if err != nil {
			t.Errorf("from %s: %v", origin, err)
			continue
		}
		c.close()
	}
	if status, _ := p.request(http.MethodPost, session, "1", nil); status != http.StatusOK {
		t.Errorf("the session was harmed: %d", status)
	}
}

// Row 8.
func testQueryToken(t *testing.T, p *process) {
	eve := newPerson("Eve")
	token := eve.token("")
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+p.listen+websocketQuery+"&token="+token+"&auth="+token, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &peer{t: t, conn: conn}
	defer c.close()
	c.expect("0{")
	c.send("40/chat,")
	if refusal := c.until("44/chat,"); !strings.Contains(refusal, `"code":"unauthorized"`) {
		t.Errorf("answered %s", refusal)
	}
	for _, query := range []string{"EIO=4&transport=nonsense&token=" + token, "EIO=3&transport=polling&token=" + token} {
		p.request(http.MethodGet, query, "", nil)
	}
	c.send(`40/chat,{"token":"x` + token + `"}`)
	c.until("44/chat,")
	good := p.connect(eve)
	good.ask("send:message", `{"conversationId":"`+eve.ID+`","message":"between you and me"}`)
	good.send("4abc")
	good.end()
	for _, hush := range []string{token, token[strings.LastIndexByte(token, '.')+1:], "between you and me"} {
		if strings.Contains(p.out.String(), hush) {
			t.Errorf("%.20s… is in the log", hush)
		}
	}
	if !strings.Contains(p.out.String(), "level=DEBUG") {
		t.Error("the log is not what it should be: the test proves nothing")
	}
}

// Row 9: who says nothing, or not what is due, is closed at a deadline.
func testDeadlines(t *testing.T, p *process) {
	late := connectTimeout + 3*time.Second
	within := func(what string, least, most time.Duration, do func()) func() {
		start := time.Now()
		return func() {
			do()
			if took := time.Since(start); took < least || took > most {
				t.Errorf("%s: ended after %v, want %v to %v", what, took, least, most)
			}
		}
	}
	idle := p.dial()
	defer idle.close()
	polling := p.polling()
	halves := map[string]net.Conn{}
	unfinished := " HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\nContent-Length: 9\r\n\r\n"
	for what, text := range map[string]string{
		"nothing": "", "half a line": "GET /socket.", "half a header": "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"half a POST, refused":   "POST /socket.io/?" + polling + unfinished,
		"half a POST to nowhere": "POST /nowhere" + unfinished,
	} {
		conn, err := net.Dial("tcp", p.listen)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		halves[what] = conn
	}
	half := p.dial()
	defer half.close()
	if _, err := half.conn.NetConn().Write(clientFrame(0x81, []byte("40/chat,"))[:5]); err != nil {
		t.Fatal(err)
	}
	checks := []func(){
		within("a websocket that never sends CONNECT", connectTimeout-100*time.Millisecond, late, func() {
			if code := idle.end(); code != websocket.ClosePolicyViolation {
				t.Errorf("never sent CONNECT: close code %d", code)
			}
		}),
		within("half a frame", connectTimeout-100*time.Millisecond, late, func() {
			if code := half.end(); code != websocket.ClosePolicyViolation {
				t.Errorf("half a frame: close code %d", code)
			}
		}),
		within("a poll without CONNECT", 0, late, func() {
			if status, body := p.request(http.MethodGet, polling, "", nil); status == http.StatusOK && body != "1" {
				t.Errorf("a poll without CONNECT: %d %q", status, body)
			}
			if status, _ := p.request(http.MethodGet, polling, "", nil); status != http.StatusBadRequest {
				t.Errorf("the session is still there: %d", status)
			}
		}),
	}
	for what, conn := range halves {
		checks = append(checks, within(what, 0, late, func() {
			if answer, err := io.ReadAll(conn); err != nil || len(answer) > 0 && !bytes.HasPrefix(answer, []byte("HTTP/1.1 4")) {
				t.Errorf("%s: answered %q, %v", what, answer, err)
			}
		}))
	}
	for _, check := range checks {
		check()
	}
	early := p.dial()
	defer early.close()
	early.send(`42/chat,["send:message",{}]`)
	if code := early.end(); code != websocket.CloseProtocolError {
		t.Errorf("events first: close code %d", code)
	}
}

// Row 10.
func testSessions(t *testing.T, p *process) {
	for _, sid := range []string{"__proto__", "constructor", "", "..", "%00", strings.Repeat("A", 4000), "AAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		p.refusedWith(http.StatusBadRequest, "EIO=4&transport=websocket&sid="+sid, nil)
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
			if status, body := p.request(method, "EIO=4&transport=polling&sid="+sid, "40/chat,", nil); status != http.StatusBadRequest {
				t.Errorf("%s with sid %.20q: %d %s", method, sid, status, body)
			}
		}
	}
	// Somebody's own id, but not the way they opened it.
	session := p.polling()
	upgrade := strings.Replace(session, "polling", "websocket", 1)
	p.refusedWith(http.StatusBadRequest, strings.Replace(upgrade, "EIO=4", "EIO=3", 1), nil)
	p.refusedWith(http.StatusBadRequest, strings.Replace(upgrade, "EIO=4&", "", 1), nil)
	for _, query := range []string{strings.Replace(session, "EIO=4", "EIO=3", 1), upgrade, strings.Replace(session, "polling", "webtransport", 1)} {
		if status, body := p.request(http.MethodGet, query, "", nil); status != http.StatusBadRequest {
			t.Errorf("GET %s: %d %s", query, status, body)
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if status, _ := p.request(method, session, "", nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d", method, status)
		}
	}
	if status, _ := p.request(http.MethodPost, session, "1", nil); status != http.StatusOK {
		t.Errorf("the session was harmed: %d", status)
	}
	// The public id of a socket gives no access to its session; and a websocket's session cannot be polled.
	bea := newPerson("Bea")
	c := p.dial()
	defer c.close()
	c.send(bea.connectPacket())
	_, public, _ := strings.Cut(c.until("40/chat,"), `"sid":"`)
	public, _, _ = strings.Cut(public, `"`)
	if status, body := p.request(http.MethodGet, "EIO=4&transport=polling&sid="+public, "", nil); status != http.StatusBadRequest {
		t.Errorf("a socket's id as sid: %d %s", status, body)
	}
	if answer := c.ask("get:online_status", `{"userIds":[]}`); !answer.OK {
		t.Errorf("%+v", answer)
	}
}

// Rows 11 and 12: over both transports the connection ends; pkg/socketio tests many more of them.
func testPackets(t *testing.T, p *process) {
	for _, packets := range [][]string{
		{"42"}, {"42["}, {"42{}"}, {"42[]"}, {"42[1]"}, {"42[null]"}, // of a namespace that it has not joined
		{"42/chat,"}, {"42/chat,["}, {"42/chat,{}"}, {"42/chat,[]"}, {"42/chat,[1]"}, {"42/chat,[null]"},
		{`42/chat,["connect"]`}, {`42/chat,["disconnect"]`}, {`42/chat,["newListener"]`}, {`42/chat,["\u0063onnect_error"]`},
		{`42/chat,99999999999999999999["x"]`}, {`42/chat,-1["x"]`}, {`42/chat,1e3["x"]`}, {`43/chat,1["x"]`}, {`43/chat,["x"]`},
		{`450-/chat,["x"]`}, {`451000000000-/chat,["x"]`}, {`45/chat,["x"]`}, {`451-/chat,["x",{"_placeholder":true,"num":7}]`},
		{`451-/chat,["send:message",{"_placeholder":true,"num":0}]`}, {"40/chat,"}, {"40/chat,[]"}, {"41/other,"}, {"5"}, {"9"}, {"2probe"},
	} {
		c := p.connect(newPerson("Eve"))
		c.send(packets...)
		if code := c.end(); code != websocket.CloseProtocolError {
			t.Errorf("%.60q: close code %d", packets, code)
		}
		c.close()
		session := p.polling()
		if status, _ := p.request(http.MethodPost, session, newPerson("Eve").connectPacket(), nil); status != http.StatusOK {
			t.Fatalf("CONNECT: %d", status)
		}
		if status, body := p.request(http.MethodPost, session, strings.Join(packets, "\x1e"), nil); status != http.StatusBadRequest {
			t.Errorf("%.60q by POST: %d %s", packets, status, body)
		}
		if status, _ := p.request(http.MethodGet, session, "", nil); status != http.StatusBadRequest {
			t.Errorf("%.60q by POST: the session is still there: %d", packets, status)
		}
	}
}

// Row 12: unknown namespaces are refused one by one, and not for ever.
func testNamespaces(t *testing.T, p *process) {
	c := p.connect(newPerson("Eve"))
	defer c.close()
	c.send("40/__proto__,")
	c.expect("44/__proto__,")
	before := p.metric(refusalsTotal("connect"))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range 5_000 {
			if c.conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, "40/room%d,", i)) != nil {
				return
			}
		}
	}()
	if code := c.end(); code != websocket.CloseProtocolError {
		t.Errorf("thousands of namespaces: close code %d", code)
	}
	c.close()
	<-sent
	if refused := p.metric(refusalsTotal("connect")) - before; refused < 1 || refused > 20 {
		t.Errorf("%v CONNECTs were looked at before it was closed", refused)
	}
	other := p.connect(newPerson("Eve"))
	defer other.close()
	other.send(`42/nowhere,["send:message",{}]`)
	if code := other.end(); code != websocket.CloseProtocolError {
		t.Errorf("an event to nowhere: close code %d", code)
	}
}

// Row 13: what is no JSON ends the connection, what makes no sense is answered.
func testJSON(t *testing.T, p *process) {
	eve := newPerson("Eve")
	room := p.conversation(eve)
	for name, packet := range map[string]string{
		"arrays":  `42/chat,["send:message",` + strings.Repeat("[", 100_000) + `]`,
		"objects": `42/chat,["send:message",` + strings.Repeat(`{"a":`, 40_000) + `1` + strings.Repeat(`}`, 40_000) + `]`,
		"CONNECT": `40/nowhere,` + strings.Repeat(`{"a":`, 40_000),
		"number":  `42/chat,["send:message",01]`,
	} {
		c := p.connect(eve)
		c.send(packet)
		if code := c.end(); code != websocket.CloseProtocolError {
			t.Errorf("%s: close code %d", name, code)
		}
		c.close()
	}
	c := p.connect(eve)
	defer c.close()
	if answer := c.ask("join:conversation", `{"conversationId":"`+room+`"}`); !answer.OK {
		t.Fatalf("%+v", answer)
	}
	for _, bad := range []struct{ event, payload, field string }{
		{"send:message", `{"conversationId":"` + room + `","message":"a","message":"b"}`, "message"},
		{"send:message", `{"conversationId":"` + room + `","message":"\ud800"}`, "message"},
		{"send:message", `{"conversationId":"` + room + `","message":"\udc00\ud800"}`, "message"},
		{"send:message", `{"conversationId":"` + room + `","message":1e999}`, "message"},
		{"join:conversation", `{"conversationId":"` + room + `","afterSeq":1e999}`, "afterSeq"},
		{"join:conversation", `{"conversationId":"` + room + `","afterSeq":9223372036854775808}`, "afterSeq"},
		{"join:conversation", `{"conversationId":"` + room + `","afterSeq":0.5}`, "afterSeq"},
		{"join:conversation", `{"conversationId":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}`, "conversationId"},
	} {
		answer := c.ask(bad.event, bad.payload)
		if answer.OK || answer.Code != "invalid" || answer.Field != bad.field {
			t.Errorf("%s %.80s: %+v", bad.event, bad.payload, answer)
		}
	}
	if answer := c.ask("send:message", `{"conversationId":"`+room+`","message":"fine","__proto__":{"x":1}}`); !answer.OK {
		t.Errorf("%+v", answer)
	}
}

// Rows 14 and 15.
func testFrames(t *testing.T, p *process) {
	for name, c := range map[string]struct {
		bytes []byte
		code  int
	}{
		"over the limit":        {clientFrame(0x81, bytes.Repeat([]byte("x"), maxFrame+1)), 1009},
		"64-bit length":         {append([]byte{0x81, 0xff}, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4), 1009},
		"fragments over it":     {append(clientFrame(0x01, []byte("4")), bytes.Repeat(clientFrame(0x00, bytes.Repeat([]byte("x"), 1<<10)), maxFrame>>10)...), 1009},
		"ping flood":            {bytes.Repeat(clientFrame(0x89, []byte("x")), 100_000), 1008},
		"unmasked":              {[]byte{0x81, 0x02, '4', '2'}, 1002},
		"reserved bit 1":        {clientFrame(0xc1, []byte("4x")), 1002},
		"reserved bit 2":        {clientFrame(0xa1, []byte("4x")), 1002},
		"reserved bit 3":        {clientFrame(0x91, []byte("4x")), 1002},
		"reserved opcode":       {clientFrame(0x83, []byte("4x")), 1002},
		"reserved control":      {clientFrame(0x8b, []byte("4x")), 1002},
		"fragmented ping":       {clientFrame(0x09, []byte("x")), 1002},
		"fragmented close":      {clientFrame(0x08, []byte{3, 232}), 1002},
		"long ping":             {clientFrame(0x89, bytes.Repeat([]byte("x"), 126)), 1002},
		"continuation of none":  {clientFrame(0x80, []byte("4x")), 1002},
		"text inside a message": {append(clientFrame(0x01, []byte("4")), clientFrame(0x81, []byte("4"))...), 1002},
		"invalid UTF-8":         {clientFrame(0x81, []byte("42/chat,[\"\xff\"]")), 1007},
		"surrogate in UTF-8":    {clientFrame(0x81, []byte("42/chat,[\"\xed\xa0\x80\"]")), 1007},
		"binary out of place":   {clientFrame(0x82, []byte("x")), 1002},
	} {
		eve := p.connect(newPerson("Eve"))
		_ = eve.conn.NetConn().SetWriteDeadline(time.Now().Add(patience))
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = eve.conn.NetConn().Write(c.bytes) // may be cut off
		}()
		if code := eve.end(); code != c.code {
			t.Errorf("%s: close code %d, want %d", name, code, c.code)
		}
		eve.close()
		<-sent
	}
	session := p.polling()
	// Asked before it sends: it would else be cut off while it does, and not hear why.
	before := http.Header{"Expect": {"100-continue"}}
	if status, body := p.request(http.MethodPost, session, strings.Repeat("x", maxFrame+1), before); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a POST over the limit: %d %s", status, body)
	}
}

// Row 14: a message of many frames is one message, and one of a million ends its connection.
func testFragments(t *testing.T, p *process) {
	eve := newPerson("Eve")
	c := p.connect(eve)
	defer c.close()
	stream := clientFrame(0x01, []byte(`42/chat,1["get:online_st`))
	stream = append(stream, bytes.Repeat(clientFrame(0x00, nil), 5000)...)
	stream = append(stream, clientFrame(0x80, []byte(`atus",{"userIds":[]}]`))...)
	if _, err := c.conn.NetConn().Write(stream); err != nil {
		t.Fatal(err)
	}
	if answer := c.until("43/chat,1["); !strings.HasPrefix(answer, `{"ok":true`) {
		t.Errorf("answered %s", answer)
	}
	tiny := append(clientFrame(0x01, []byte("4")), bytes.Repeat(clientFrame(0x00, []byte("x")), 1_000_000)...)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = c.conn.NetConn().Write(tiny) // is cut off
	}()
	if code := c.end(); code != websocket.ClosePolicyViolation {
		t.Errorf("a million bytes, each a frame: close code %d", code)
	}
	c.close()
	<-sent
}

// Row 14: nothing is ever decompressed.
func testCompression(t *testing.T, p *process) {
	d := websocket.Dialer{EnableCompression: true, HandshakeTimeout: patience}
	conn, res, err := d.Dial("ws://"+p.listen+websocketQuery, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Header.Get("Sec-Websocket-Extensions"); got != "" {
		t.Errorf("agreed to %q", got)
	}
	c := &peer{t: t, conn: conn}
	defer c.close()
	c.expect("0{")
	bomb := []byte{0xec, 0xc1, 0x01, 0x0d, 0x00, 0x00, 0x00, 0xc2, 0xa0, 0xf7, 0x4f, 0x6d, 0x0e, 0x37, 0xa0} // of DEFLATE
	if _, err := conn.NetConn().Write(clientFrame(0xc1, bomb)); err != nil {
		t.Fatal(err)
	}
	if code := c.end(); code != websocket.CloseProtocolError {
		t.Errorf("a compressed frame: close code %d", code)
	}
	session := p.polling()
	gzip := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 0x33, 0x31, 0, 0}
	if status, body := p.request(http.MethodPost, session, string(gzip), http.Header{"Content-Encoding": {"gzip"}}); status != http.StatusBadRequest {
		t.Errorf("a compressed POST: %d %s", status, body)
	}
}

// clientFrame is a masked frame; first is its first byte.
func clientFrame(first byte, payload []byte) []byte {
	f := []byte{first}
	switch n := len(payload); {
	case n < 126:
		f = append(f, 0x80|byte(n))
	case n <= 0xffff:
		f = binary.BigEndian.AppendUint16(append(f, 0x80|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, 0x80|127), uint64(n))
	}
	return append(append(f, 0, 0, 0, 0), payload...) // a mask of zeros changes nothing
}
