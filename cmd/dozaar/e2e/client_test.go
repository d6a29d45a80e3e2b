package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// patience bounds every wait of a test; none waits so long unless something is broken.
const patience = 20 * time.Second

type object = map[string]any

// person is somebody with a token.
type person struct{ ID, Username string }

func newPerson(name string) person {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return person{fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), name}
}

// token signs as a marketplace would.
func (p person) token(scope string) string {
	claims := object{"sub": p.ID, "username": p.Username, "exp": time.Now().Add(time.Hour).Unix()}
	if scope != "" {
		claims["scope"] = scope
	}
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// connectPacket joins the namespace.
func (p person) connectPacket() string { return `40/chat,{"token":"` + p.token("") + `"}` }

// conversation makes one of these people.
func (p *process) conversation(people ...person) string {
	p.t.Helper()
	return p.conversationAs("", people...)
}

// conversationAs makes one with that id, or with a new one if it is empty.
func (p *process) conversationAs(id string, people ...person) string {
	p.t.Helper()
	var members []object
	for _, m := range people {
		members = append(members, object{"userId": m.ID, "username": m.Username})
	}
	body := object{"members": members}
	if id != "" {
		body["id"] = id
	}
	var made struct{ ID string }
	p.api(http.MethodPost, "/v1/conversations", body, http.StatusCreated, &made)
	return made.ID
}

// api asks the HTTP API as the marketplace's backend, and insists on a status.
func (p *process) api(method, path string, body object, status int, answer any) {
	p.t.Helper()
	p.apiBy(newPerson("marketplace").token("service"), method, path, body, status, answer)
}

// apiAs asks it as somebody.
func (p *process) apiAs(who person, method, path string, body object, status int, answer any) {
	p.t.Helper()
	p.apiBy(who.token(""), method, path, body, status, answer)
}

func (p *process) apiBy(token, method, path string, body object, status int, answer any) {
	p.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			p.t.Fatal(err)
		}
	}
	req, err := http.NewRequest(method, "http://"+p.listen+path, bytes.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	got, said := send(p.t, req)
	if got != status {
		p.t.Fatalf("%s %s: %d %s", method, path, got, said)
	}
	if err := json.Unmarshal([]byte(said), answer); err != nil {
		p.t.Fatalf("%s %s: %s: %v", method, path, said, err)
	}
}

// send makes a request on a connection of its own.
func send(t testing.TB, req *http.Request) (status int, body string) {
	t.Helper()
	req.Close = true
	client := http.Client{Timeout: patience}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// get is send for a GET.
func get(t testing.TB, url string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	status, body := send(t, req)
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d %.200s", url, status, body)
	}
	return body
}

// peer is a client over websocket that speaks in packets.
type peer struct {
	t       testing.TB
	conn    *websocket.Conn
	writing sync.Mutex
	acks    int
	log     []string    // the events it got
	ahead   chan packet // read already, if it reads ahead
}

// packet is one that was read, or why none was.
type packet struct {
	text string
	err  error
}

const websocketQuery = "/socket.io/?EIO=4&transport=websocket"

func (p *process) dialAs(header http.Header) (*peer, *http.Response, error) {
	d := websocket.Dialer{HandshakeTimeout: patience}
	conn, res, err := d.Dial("ws://"+p.listen+websocketQuery, header)
	if err != nil {
		return nil, res, err
	}
	c := &peer{t: p.t, conn: conn}
	c.expect("0{")
	return c, res, nil
}

// dial opens a connection that belongs to no namespace yet.
func (p *process) dial() *peer {
	p.t.Helper()
	c, _, err := p.dialAs(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// connect opens a socket of somebody.
func (p *process) connect(who person) *peer {
	p.t.Helper()
	c := p.dial()
	c.send(who.connectPacket())
	c.expect("40/chat,")
	return c
}

func (c *peer) close() { _ = c.conn.Close() }

// readAhead has it read whether anybody waits or not, so that it stays connected through a long silence.
func (c *peer) readAhead() {
	c.ahead = make(chan packet, 100_000)
	go func() {
		for {
			text, err := c.read(time.Time{})
			c.ahead <- packet{text, err}
			if err != nil {
				return
			}
		}
	}()
}

func (c *peer) send(packets ...string) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for _, packet := range packets {
		// A failed write shows as a failed read.
		_ = c.conn.WriteMessage(websocket.TextMessage, []byte(packet))
	}
}

// next returns the next packet that is no ping.
func (c *peer) next() (string, error) {
	var got packet
	if c.ahead == nil {
		got.text, got.err = c.read(time.Now().Add(patience))
	} else {
		select {
		case got = <-c.ahead:
		case <-time.After(patience):
			got.err = fmt.Errorf("nothing came within %v", patience)
		}
	}
	if strings.HasPrefix(got.text, "42") {
		c.log = append(c.log, got.text)
	}
	return got.text, got.err
}

func (c *peer) read(deadline time.Time) (string, error) {
	for {
		_ = c.conn.SetReadDeadline(deadline)
		_, data, err := c.conn.ReadMessage()
		if err != nil {
			return "", err
		}
		if string(data) != "2" {
			return string(data), nil
		}
		c.send("3")
	}
}

// until reads up to a packet that begins so, and returns what follows.
func (c *peer) until(prefix string) string {
	c.t.Helper()
	for {
		packet, err := c.next()
		if err != nil {
			c.t.Fatalf("waiting for %q: %v", prefix, err)
		}
		if rest, ok := strings.CutPrefix(packet, prefix); ok {
			return rest
		}
	}
}

func (c *peer) expect(prefix string) {
	c.t.Helper()
	packet, err := c.next()
	if err != nil || !strings.HasPrefix(packet, prefix) {
		c.t.Fatalf("got %.200q, %v, want %q", packet, err, prefix)
	}
}

// ask emits with acknowledgement; payload is JSON, so that it may be wrong.
func (c *peer) ask(event, payload string) (answer struct {
	OK          bool
	Code, Field string
	MessageID   string
}) {
	c.t.Helper()
	c.acks++
	c.send(fmt.Sprintf(`42/chat,%d[%q,%s]`, c.acks, event, payload))
	reply := c.until(fmt.Sprintf("43/chat,%d[", c.acks))
	if err := json.Unmarshal([]byte(strings.TrimSuffix(reply, "]")), &answer); err != nil {
		c.t.Fatalf("%s: %s: %v", event, reply, err)
	}
	return answer
}

// end reads to the end and returns the close code: 0 for none, 1006 where the connection just broke.
func (c *peer) end() int {
	c.t.Helper()
	for {
		if _, err := c.next(); err != nil {
			var closed *websocket.CloseError
			if errors.As(err, &closed) {
				return closed.Code
			}
			var timeout interface{ Timeout() bool }
			if errors.As(err, &timeout) && timeout.Timeout() {
				c.t.Fatalf("not closed within %v", patience)
			}
			return websocket.CloseAbnormalClosure
		}
	}
}
