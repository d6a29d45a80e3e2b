package socketio

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The hostile inputs of Socket.IO packets; each must end its own connection, over both transports,
// without a call of the handler, and leave everybody else alone.
func hostilePackets() map[string][]string {
	deep := strings.Repeat("[", 100_000)
	cases := map[string][]string{
		"no packet":                   {"4"},
		"unknown type":                {"4abc"},
		"type 7":                      {"47"},
		"event alone":                 {"42"},
		"event cut":                   {"42/chat,["},
		"event object":                {"42/chat,{}"},
		"event empty":                 {"42/chat,[]"},
		"event number":                {"42/chat,[1]"},
		"event null":                  {"42/chat,[null]"},
		"event nested":                {`42/chat,[["x"]]`},
		"event text":                  {`42/chat,"x"`},
		"event trailing":              {`42/chat,["x"]]`},
		"event two":                   {`42/chat,["x"]["y"]`},
		"comma at the end":            {`42/chat,["x",]`},
		"comma at the start":          {`42/chat,[,"x"]`},
		"no comma":                    {`42/chat,["x" "y"]`},
		"connect event":               {`42/chat,["connect"]`},
		"disconnect event":            {`42/chat,["disconnect"]`},
		"disconnecting event":         {`42/chat,["disconnecting"]`},
		"connect_error event":         {`42/chat,["connect_error"]`},
		"newListener event":           {`42/chat,["newListener"]`},
		"removeListener event":        {`42/chat,["removeListener"]`},
		"escaped reserved":            {`42/chat,["\u0063onnect"]`},
		"letters for ack id":          {`42/chat,abc["x"]`},
		"negative ack id":             {`42/chat,-1["x"]`},
		"huge ack id":                 {`42/chat,` + strings.Repeat("9", 400) + `["x"]`},
		"ack id over 2^53":            {`42/chat,9007199254740992["x"]`},
		"ack id over 2^64":            {`42/chat,18446744073709551617["x"]`},
		"ack nobody asked for":        {`43/chat,1["x"]`},
		"ack without id":              {`43/chat,["x"]`},
		"connect_error":               {`44/chat,{"message":"x"}`},
		"binary, 0 attachments":       {`450-/chat,["x"]`},
		"binary, 10^9":                {`451000000000-/chat,["x"]`},
		"binary, too many":            {`453-/chat,["x",{"_placeholder":true,"num":0}]`},
		"binary, no count":            {`45-/chat,["x"]`},
		"binary, no dash":             {`451/chat,["x"]`},
		"binary, negative":            {`45-1-/chat,["x"]`},
		"binary, no placeholder":      {`451-/chat,["x"]`},
		"binary, wrong placeholder":   {`451-/chat,["x",{"_placeholder":true,"num":1}]`},
		"binary, text placeholder":    {`451-/chat,["x",{"_placeholder":true,"num":"0"}]`},
		"binary, half placeholder":    {`451-/chat,["x",{"_placeholder":true,"num":0.5}]`},
		"binary, negative placehold.": {`451-/chat,["x",{"_placeholder":true,"num":-1}]`},
		"binary, doubled placeholder": {`452-/chat,["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`},
		"binary, then text":           {`451-/chat,["x",{"_placeholder":true,"num":0}]`, `42/chat,["y"]`},
		"binary ack":                  {`461-/chat,1[{"_placeholder":true,"num":0}]`},
		"unknown namespace":           {`42/other,["x"]`},
		"main namespace":              {`42["x"]`},
		"namespace without end":       {`42/chat["x"]`},
		"long namespace":              {"40/" + strings.Repeat("n", 300) + ","},
		"connect twice":               {"40/chat,"},
		"connect with array":          {"40/chat,[]"},
		"connect with text":           {`40/chat,"token"`},
		"connect with garbage":        {"40/chat,{}x"},
		"connect with id":             {"40/chat,1{}"},
		"disconnect with payload":     {"41/chat,[]"},
		"disconnect elsewhere":        {"41/other,"},
		"100,000 deep":                {`42/chat,["x",` + deep + `]`},
		"10,001 deep":                 {`42/chat,["x",` + deep[:10_000] + strings.Repeat("]", 10_000) + `]`},
		"deep objects":                {`42/chat,["x",` + strings.Repeat(`{"a":`, 30_000) + `1`},
		"deep auth":                   {"40/other," + strings.Repeat(`{"a":`, 30_000)},
		"leading zero":                {`42/chat,["x",01]`},
		"plus":                        {`42/chat,["x",+1]`},
		"bare dot":                    {`42/chat,["x",1.]`},
		"bare exponent":               {`42/chat,["x",1e]`},
		"NaN":                         {`42/chat,["x",NaN]`},
		"half word":                   {`42/chat,["x",tru]`},
		"unknown escape":              {`42/chat,["x","\x41"]`},
		"short escape":                {`42/chat,["x","\u12"]`},
		"control character":           {"42/chat,[\"x\",\"a\nb\"]"},
		"string without end":          {`42/chat,["x","abc`},
		"open":                        {"0"},
		"probe on a session":          {"2probe"},
		"upgrade on a session":        {"5"},
		"type 9":                      {"9"},
	}
	var namespaces []string
	for range 5000 {
		namespaces = append(namespaces, "40/nowhere,")
	}
	cases["thousands of namespaces"] = namespaces
	return cases
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"k` + strconv.Itoa(i) + `":0`)
	}
	return b.String()
}

// surviving is a rig with a client that must not notice what happens to others.
func surviving(t *testing.T) (r *rig, check func()) {
	h := &script{event: func(_ context.Context, s *Socket, e Event) {
		if e.Name != "fine" {
			t.Errorf("the handler saw %s%s", e.Name, e.Args)
		}
		_ = s.Emit("fine")
	}}
	r = newRig(t, Config{MaxAttachments: 2, MaxPayload: 1 << 20}, one(h))
	other := r.websocket()
	join(t, other)
	t.Cleanup(other.close)
	return r, func() {
		t.Helper()
		start := time.Now()
		other.send(`42/chat,["fine"]`)
		expect(t, other, `42/chat,["fine"]`)
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("another client waited for %v", took)
		}
		eventually(t, "the hostile session is forgotten", func() bool { return r.server.Stats().Connections() == 1 })
	}
}

func TestHostilePackets(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		r, check := surviving(t)
		for name, packets := range hostilePackets() {
			p := open(r)
			join(t, p)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				p.send(packets...)
			}()
			for {
				packet, err := p.next()
				if err != nil {
					break
				}
				if !strings.HasPrefix(packet, `44/nowhere,`) {
					t.Errorf("%s: answered %q", name, packet)
				}
			}
			<-sent
			p.close()
			check()
			if t.Failed() {
				t.Fatalf("in case %q", name)
			}
		}
	})
}

// TestHostileCodes requires websocket clients to be told what was wrong.
func TestHostileCodes(t *testing.T) {
	r, check := surviving(t)
	for name, c := range map[string]struct {
		bytes []byte
		code  int
	}{
		"packet":                {clientFrame(0x81, []byte("4abc")), 1002},
		"invalid UTF-8":         {clientFrame(0x81, []byte("42/chat,[\"\xff\"]")), 1007},
		"half a character":      {clientFrame(0x81, []byte("42/chat,[\"\xe2\x82\"]")), 1007},
		"surrogate in UTF-8":    {clientFrame(0x81, []byte("42/chat,[\"\xed\xa0\x80\"]")), 1007},
		"over the limit":        {clientFrame(0x81, bytes.Repeat([]byte("x"), 1<<20+1)), 1009},
		"64-bit length":         {append([]byte{0x81, 0xff}, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4), 1009},
		"negative length":       {append([]byte{0x81, 0xff}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4), 1009},
		"fragments over limit":  {append(clientFrame(0x01, bytes.Repeat([]byte("x"), 1<<19)), bytes.Repeat(clientFrame(0x00, bytes.Repeat([]byte("x"), 1<<10)), 513)...), 1009},
		"unmasked":              {[]byte{0x81, 0x02, '4', '2'}, 1002},
		"reserved bit 1":        {clientFrame(0xc1, []byte("4x")), 1002},
		"reserved bit 3":        {clientFrame(0x91, []byte("4x")), 1002},
		"reserved opcode":       {clientFrame(0x83, []byte("4x")), 1002},
		"fragmented ping":       {clientFrame(0x09, []byte("x")), 1002},
		"long ping":             {clientFrame(0x89, bytes.Repeat([]byte("x"), 126)), 1002},
		"continuation of none":  {clientFrame(0x80, []byte("4x")), 1002},
		"text inside a message": {append(clientFrame(0x01, []byte("4")), clientFrame(0x81, []byte("4"))...), 1002},
		"bad close code":        {clientFrame(0x88, []byte{0x03, 0xe7}), 1002},
		"binary out of place":   {clientFrame(0x82, []byte("x")), 1002},
		"ping flood":            {bytes.Repeat(clientFrame(0x89, []byte("x")), 20_000), 1008},
	} {
		t.Run(name, func(t *testing.T) {
			conn := r.rawConn()
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(patience))
			if _, err := conn.Write(clientFrame(0x81, []byte("40/chat,"))); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = conn.Write(c.bytes) }() // may be cut off
			if code := closeCode(t, conn); code != c.code {
				t.Errorf("close code %d, want %d", code, c.code)
			}
			_ = conn.Close()
			check()
		})
	}
}

// TestTinyFragments makes one message of very many frames; it is handled as any other.
func TestTinyFragments(t *testing.T) {
	r, check := surviving(t)
	conn := r.rawConn()
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	stream := clientFrame(0x81, []byte("40/chat,"))
	message := `42/chat,["fine","` + strings.Repeat("x", 5000) + `"]`
	for i := range message {
		op := byte(0x00)
		switch i {
		case 0:
			op = 0x01
		case len(message) - 1:
			op = 0x80
		}
		stream = append(stream, clientFrame(op, []byte(message[i:i+1]))...)
	}
	if _, err := conn.Write(stream); err != nil {
		t.Fatal(err)
	}
	var got []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(got, []byte(`42/chat,["fine"]`)) {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, buf[:n]...)
	}
	_ = conn.Close()
	check()
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

// closeCode reads short frames up to a close frame.
func closeCode(t *testing.T, conn io.Reader) int {
	t.Helper()
	for {
		var head [2]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			t.Fatalf("no close frame: %v", err)
		}
		payload := make([]byte, head[1]&0x7f)
		if _, err := io.ReadFull(conn, payload); err != nil {
			t.Fatalf("half a frame: %v", err)
		}
		if head[0]&0x0f == 8 {
			if len(payload) < 2 {
				return 0
			}
			return int(binary.BigEndian.Uint16(payload))
		}
	}
}

func TestHostilePosts(t *testing.T) {
	r, check := surviving(t)
	for name, c := range map[string]struct {
		body   string
		header http.Header
		status int
	}{
		"garbage":         {"abc", nil, 400},
		"nothing":         {"", nil, 400},
		"empty packet":    {"4x\x1e\x1e4y", nil, 400},
		"separators":      {strings.Repeat("\x1e", 100_000), nil, 400},
		"bad base64":      {"b!!!!", nil, 400},
		"loose base64":    {"bAB==\n", nil, 400},
		"invalid UTF-8":   {"42/chat,[\"\xff\"]", nil, 400},
		"bad packet":      {"42/chat,[", nil, 400},
		"second is bad":   {`42/chat,["fine"]` + "\x1e42", nil, 400},
		"too large":       {strings.Repeat("x", 1<<20+1), nil, 413},
		"octet-stream":    {"4x", http.Header{"Content-Type": {"application/octet-stream"}}, 400},
		"attachments":     {"452-/chat,[\"x\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]\x1eb" + strings.Repeat("A", 900_000), nil, 400},
		"binary unasked":  {"bAAAA", nil, 400},
		"chunked, large":  {"chunked", nil, 413},
		"chunked garbage": {"chunked-small", nil, 400},
	} {
		t.Run(name, func(t *testing.T) {
			p := r.polling()
			join(t, p)
			var body io.Reader = strings.NewReader(c.body)
			switch c.body { // a reader of unknown length is sent in chunks
			case "chunked":
				body = io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), strings.NewReader("x"))
			case "chunked-small":
				body = io.MultiReader(strings.NewReader("zzz"))
			}
			if name == "attachments" {
				body = strings.NewReader(c.body + "\x1e" + "zz")
			}
			req, err := http.NewRequestWithContext(p.ctx, http.MethodPost, r.url("http", p.query()), body)
			if err != nil {
				t.Fatal(err)
			}
			if c.header != nil {
				req.Header = c.header
			}
			if res, err := r.client.Do(req); err == nil { // else the connection was closed while it wrote
				_ = res.Body.Close()
				if res.StatusCode != c.status {
					t.Errorf("answered %d, want %d", res.StatusCode, c.status)
				}
			} else if c.status != 413 {
				t.Error(err)
			}
			check()
		})
	}
}

// TestOverlappingPosts ends a session whose client sends two POSTs at a time: they have no order.
func TestOverlappingPosts(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	h := &script{event: func(context.Context, *Socket, Event) {
		close(entered)
		<-release
	}}
	r := newRig(t, Config{}, one(h))
	p := r.polling()
	join(t, p)
	first := make(chan struct{})
	go func() {
		defer close(first)
		p.send(`42/chat,["x"]`)
	}()
	receive(t, "event", entered)
	if status, _ := r.request("POST", p.query(), `42/chat,["y"]`); status != 400 {
		t.Errorf("second POST: %d", status)
	}
	close(release)
	<-first
	eventually(t, "the session is forgotten", func() bool { return r.server.Stats().Connections() == 0 })
}

// TestBigAttachments bounds the parts of one event together.
func TestBigAttachments(t *testing.T) {
	r := newRig(t, Config{MaxAttachments: 9, MaxPayload: 10_000}, one(&script{}))
	p := r.websocket()
	defer p.close()
	join(t, p)
	p.send(`452-/chat,["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	for range 2 {
		_ = p.conn.WriteMessage(2, make([]byte, 6000))
	}
	if code := expectEnd(t, p); code != 1009 {
		t.Errorf("close code %d", code)
	}
}

// TestSplitArrayAccepts lets through what is JSON, also where a Handler may have something to say about it.
func TestSplitArrayAccepts(t *testing.T) {
	for _, text := range []string{
		`["x"]`, ` [ "x" , 1 ] `, `["😀","\ud83d\ude00","\u0000"]`, `["x",-0,0.5,1e308,-1.5E-7,123456789012345678901234567890]`,
		`["x",` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `]`,
		`["x",{` + manyKeys(500) + `}]`, `["x",{"a":{"a":{"a":[]}},"b":{"a":1}}]`, `["x",true,false,null,{},[]]`,
		`["x",{"a":1,"a":2}]`, `["x","\ud800"]`, `["x",1e999]`,
	} {
		if _, err := splitArray(nil, []byte(text)); err != nil {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}
