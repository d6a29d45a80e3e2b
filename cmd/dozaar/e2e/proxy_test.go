package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// proxy is one of those whose configuration is in deploy/.
type proxy struct {
	name   string
	config string // in deploy
	listen string // as the configuration says it; %s is the address
	sticky string // what makes it so
	fair   string // what stands there instead
	// command runs it with the configuration, in a folder of its own.
	command func(t *testing.T, dir, config string) []string
}

func proxies() []proxy {
	return []proxy{
		{
			name: "nginx", config: "nginx/dozaar.conf", listen: "listen %s;",
			sticky: "hash $remote_addr consistent;", fair: "",
			command: func(t *testing.T, dir, config string) []string {
				main := "worker_processes 1;\nerror_log stderr;\npid " + dir + "/pid;\nevents { }\nhttp {\naccess_log off;\n"
				if os.Getuid() == 0 {
					main = "user root;\n" + main // else its workers could not use dir
				}
				for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
					main += kind + "_temp_path " + dir + "/" + kind + ";\n"
				}
				main += "include " + config + ";\n}\n"
				return []string{"-p", dir, "-c", write(t, dir, "nginx.conf", main), "-g", "daemon off;"}
			},
		},
		{
			name: "haproxy", config: "haproxy/dozaar.cfg", listen: "bind %s #",
			sticky: "balance source\n    hash-type consistent", fair: "balance roundrobin",
			command: func(_ *testing.T, _, config string) []string { return []string{"-db", "-f", config} },
		},
	}
}

// TestProxies puts two gateways behind each proxy, as deploy/ has it, and both transports through it.
func TestProxies(t *testing.T) {
	for _, x := range proxies() {
		t.Run(x.name, func(t *testing.T) {
			binary := find(t, x.name, x.name, "its configuration in deploy/ is tried with it")
			const perAddress = 4
			gateways := startGateways(t, 2,
				"DOZAAR_TRUSTED_PROXIES=127.0.0.1", "DOZAAR_CONNECT_TIMEOUT=2s", fmt.Sprint("DOZAAR_CONNECTIONS_PER_ADDRESS=", perAddress))
			t.Run("as it is", func(t *testing.T) {
				f := x.front(t, binary, gateways, func(config string) string { return config })
				f.pollingSticks()
				f.websocketsSpread()
				f.originIsOurs()
				f.addressesCount(perAddress)
			})
			t.Run("without stickiness", func(t *testing.T) {
				f := x.front(t, binary, gateways, func(config string) string { return replaced(t, config, x.sticky, x.fair) })
				failed := 0
				for i := range 6 {
					c, err := f.poller(fmt.Sprintf("127.0.2.%d", i+1))
					if err == nil {
						err = c.talk()
					}
					if err != nil {
						failed++
						t.Log(err)
					}
				}
				if failed == 0 {
					t.Error("every polling client got through: the test above proves nothing")
				}
				f.forgotten()
			})
		})
	}
}

// front is a proxy that runs, and what is behind it.
type front struct {
	t        *testing.T
	address  string
	gateways []*process
}

// front starts the proxy with the configuration that is shipped, but for its addresses and an edit.
func (x proxy) front(t *testing.T, binary string, gateways []*process, edit func(string) string) *front {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../deploy", x.config))
	if err != nil {
		t.Fatal(err)
	}
	f := &front{t: t, address: freeAddress(t), gateways: gateways}
	config := string(text)
	shipped := strings.NewReplacer("%s;", "80;", "%s", ":80").Replace(x.listen)
	config = replaced(t, config, shipped, fmt.Sprintf(x.listen, f.address))
	for i, g := range gateways {
		_, adminPort, err := net.SplitHostPort(g.admin)
		if err != nil {
			t.Fatal(err)
		}
		shipped := fmt.Sprintf("10.0.0.%d:3000", 11+i)
		config = strings.ReplaceAll(config, shipped+" check port 3001", g.listen+" check port "+adminPort)
		config = strings.ReplaceAll(config, shipped+";", g.listen+";")
		if strings.Contains(config, shipped) || strings.Count(config, g.listen) != 2 {
			t.Fatalf("the addresses of %s are not where they were", x.config)
		}
	}
	// Not t.TempDir: its path may be too long for what proxies do with it.
	dir, err := os.MkdirTemp("", "dozaar")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cmd := exec.Command(binary, x.command(t, dir, write(t, dir, filepath.Base(x.config), edit(config)))...)
	out := &safeBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", x.name, out)
		}
	})
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", f.address); err == nil {
			_ = conn.Close()
			return f
		}
		select {
		case <-exited:
			t.Fatalf("%s ended:\n%s", x.name, out)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not listen:\n%s", x.name, out)
		}
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replaced insists that what is replaced is there.
func replaced(t *testing.T, text, before, after string) string {
	t.Helper()
	if !strings.Contains(text, before) {
		t.Fatalf("%q is not in the configuration", before)
	}
	return strings.ReplaceAll(text, before, after)
}

// dialer connects from one of the addresses that a loopback interface has.
func dialer(from string) func(context.Context, string, string) (net.Conn, error) {
	return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}).DialContext
}

// poller is a client over polling through the proxy, which makes a connection of its own for each request.
type poller struct {
	f      *front
	client *http.Client
	sid    string
}

func (f *front) poller(from string) (*poller, error) {
	c := &poller{f: f, client: &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: dialer(from), DisableKeepAlives: true}}}
	body, err := c.request(http.MethodGet, "")
	if err != nil {
		return nil, err
	}
	_, sid, _ := strings.Cut(body, `"sid":"`)
	c.sid, _, _ = strings.Cut(sid, `"`)
	return c, nil
}

func (c *poller) request(method, body string) (string, error) {
	url := "http://" + c.f.address + "/socket.io/?EIO=4&transport=polling"
	if c.sid != "" {
		url += "&sid=" + c.sid
	}
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	res, err := c.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", method, res.Status, answer)
	}
	return string(answer), err
}

// talk joins the namespace and asks for something, some requests to and fro.
func (c *poller) talk() error {
	if _, err := c.request(http.MethodPost, newPerson("Polly").connectPacket()); err != nil {
		return err
	}
	if answer, err := c.request(http.MethodGet, ""); err != nil || !strings.HasPrefix(answer, "40/chat,") {
		return fmt.Errorf("CONNECT: %q, %w", answer, err)
	}
	for i := range 3 {
		large := strings.Repeat(" ", 100_000) // to be sent on whole
		if _, err := c.request(http.MethodPost, fmt.Sprintf(`42/chat,%d["get:online_status",{"userIds":[]%s}]`, i, large)); err != nil {
			return err
		}
		for want := fmt.Sprintf("43/chat,%d[", i); ; {
			answer, err := c.request(http.MethodGet, "")
			if err != nil {
				return err
			}
			if strings.Contains(answer, want) {
				break
			}
		}
	}
	return nil
}

// pollingSticks has clients of many addresses poll, on both gateways, and one of them upgrade.
func (f *front) pollingSticks() {
	f.t.Helper()
	var clients []*poller
	for i := range 12 {
		c, err := f.poller(fmt.Sprintf("127.0.1.%d", i+1))
		if err == nil {
			err = c.talk()
		}
		if err != nil {
			f.t.Fatalf("client %d: %v", i, err)
		}
		clients = append(clients, c)
	}
	for i, g := range f.gateways {
		if n := g.connections(); n == 0 || n == len(clients) {
			f.t.Errorf("gateway %d has %d of %d polling clients", i, n, len(clients))
		}
	}
	for i, c := range clients {
		d := websocket.Dialer{NetDialContext: dialer(fmt.Sprintf("127.0.1.%d", i+1)), HandshakeTimeout: patience}
		conn, res, err := d.Dial("ws://"+f.address+websocketQuery+"&sid="+c.sid, nil)
		if err != nil {
			f.t.Fatalf("client %d upgrades: %v, %v", i, err, res)
		}
		up := &peer{t: f.t, conn: conn}
		up.send("2probe")
		up.expect("3probe")
		if answer, err := c.request(http.MethodGet, ""); err != nil || answer != "6" {
			f.t.Fatalf("client %d's last poll: %q, %v", i, answer, err)
		}
		up.send("5")
		if answer := up.ask("get:online_status", `{"userIds":[]}`); !answer.OK {
			f.t.Errorf("client %d over its websocket: %+v", i, answer)
		}
		up.close()
	}
	f.forgotten()
}

// websocketsSpread has one address open some, which may go anywhere.
func (f *front) websocketsSpread() {
	f.t.Helper()
	for range 6 {
		c := f.websocket("127.0.3.1", nil)
		defer c.close()
		c.send(newPerson("Webb").connectPacket())
		c.expect("40/chat,")
	}
	for i, g := range f.gateways {
		if n := g.connections(); n == 0 || n == 6 {
			f.t.Errorf("gateway %d has %d of 6 websockets of one address", i, n)
		}
	}
}

func (f *front) dial(from string, header http.Header) (*websocket.Conn, *http.Response, error) {
	d := websocket.Dialer{NetDialContext: dialer(from), HandshakeTimeout: patience}
	return d.Dial("ws://"+f.address+websocketQuery, header)
}

func (f *front) websocket(from string, header http.Header) *peer {
	f.t.Helper()
	conn, res, err := f.dial(from, header)
	if err != nil {
		f.t.Fatalf("%v, %v", err, res)
	}
	c := &peer{t: f.t, conn: conn}
	c.expect("0{")
	return c
}

// originIsOurs lets pages of the proxy's own address in, and no others.
func (f *front) originIsOurs() {
	f.t.Helper()
	f.forgotten()
	f.websocket("127.0.0.1", http.Header{"Origin": {"http://" + f.address}}).close()
	if _, res, err := f.dial("127.0.0.1", http.Header{"Origin": {"http://" + f.gateways[0].listen}}); err == nil || res == nil || res.StatusCode != http.StatusForbidden {
		f.t.Errorf("from a gateway's own address: %v, want 403", err)
	}
	f.forgotten()
}

// addressesCount fills one address's places at both gateways. What the client claims changes nothing, and its
// neighbour notices nothing.
func (f *front) addressesCount(perAddress int) {
	f.t.Helper()
	var held []*websocket.Conn
	for i := 0; i < 50 && len(held) < len(f.gateways)*perAddress; i++ { // the proxy may choose a full gateway before the other is
		conn, _, err := f.dial("127.0.4.1", http.Header{"X-Forwarded-For": {fmt.Sprintf("198.51.100.%d", i)}})
		if err == nil {
			held = append(held, conn)
		}
	}
	if len(held) != len(f.gateways)*perAddress {
		f.t.Errorf("an address got %d connections of %d gateways, each with %d places", len(held), len(f.gateways), perAddress)
	}
	if _, res, err := f.dial("127.0.4.1", http.Header{"X-Forwarded-For": {"198.51.100.99"}}); err == nil || res == nil ||
		res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		f.t.Errorf("one more than an address may have: %v, %v", err, res)
	}
	f.websocket("127.0.4.2", http.Header{"X-Forwarded-For": {"127.0.4.1"}}).close()
	for _, conn := range held {
		_ = conn.Close()
	}
	f.forgotten()
}

// forgotten waits until the gateways have no connection.
func (f *front) forgotten() {
	f.t.Helper()
	for i, g := range f.gateways {
		for end := time.Now().Add(patience); g.connections() > 0; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				f.t.Fatalf("gateway %d still has %d connections", i, g.connections())
			}
		}
	}
}
