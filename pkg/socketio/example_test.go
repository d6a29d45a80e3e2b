package socketio_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/dozaar/dozaar/pkg/socketio"
)

// lobby is a Handler: who has the password is in one room with all others, and what one says or shows the others get.
type lobby struct {
	socketio.Handlers // its Event
	room              socketio.Room
}

func newLobby() *lobby {
	l := new(lobby)
	l.Events = map[string]socketio.EventHandler{"say": socketio.On(l.say), "show": l.show}
	l.Failed = func(_ context.Context, s *socketio.Socket, e socketio.Event, err error) {
		e.Ack(map[string]string{"error": err.Error()})
		if errors.Is(err, socketio.ErrUnknownEvent) {
			_ = s.Emit("goodbye", "nobody here knows "+e.Name) // the reason below is not told to the client
			s.Close("unknown event")                           // which hears of a kick, and does not come back by itself
		}
	}
	return l
}

func (*lobby) Authenticate(_ context.Context, h socketio.Handshake) (any, error) {
	var auth struct{ Name, Password string }
	if json.Unmarshal(h.Auth, &auth) != nil || auth.Password != "sesame" {
		return nil, &socketio.Refusal{Message: "wrong password"}
	}
	return auth.Name, nil
}

func (l *lobby) Connected(_ context.Context, s *socketio.Socket) {
	l.room.Join(s) // and leaves by itself
	_ = s.Emit("welcome", s.User(), l.room.Size())
}

func (*lobby) Disconnected(*socketio.Socket, string) {}

type words struct {
	Text string `json:"text"`
}

func (l *lobby) say(_ context.Context, s *socketio.Socket, in words) (any, error) {
	if in.Text == "" {
		return nil, errors.New("nothing was said")
	}
	return "ok", l.tell(s, "said", in)
}

// show takes its event as it came, for the attachment.
func (l *lobby) show(_ context.Context, s *socketio.Socket, e socketio.Event) (any, error) {
	picture, ok := e.Binary(0)
	if !ok {
		return nil, socketio.ErrArgument
	}
	return "ok", l.tell(s, "shown", picture)
}

// tell is encoded once, whoever hears it.
func (l *lobby) tell(from *socketio.Socket, event string, what any) error {
	packet, err := socketio.Encode("/lobby", event, from.User(), what)
	if err != nil {
		return err
	}
	l.room.Send(packet, from)
	return nil
}

// page is the one web site whose pages may connect.
const page = "https://shop.example"

// withCORS lets the pages of another origin poll. Browsers ask nobody before they open a websocket: what refuses
// those of other pages is Config.AllowOrigin.
func withCORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if r.Header.Get("Origin") == page {
			h.Set("Access-Control-Allow-Origin", page)
			h.Set("Access-Control-Allow-Credentials", "true") // for withCredentials, as sticky sessions by cookie need it
		}
		if r.Method == http.MethodOptions { // asked before a request with extraHeaders
			h.Set("Access-Control-Allow-Methods", "GET, POST")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func allowOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin") // programs and apps send none
	return origin == "" || origin == page
}

// A whole server, for pages of https://shop.example that say
//
//	const socket = io("https://chat.example/lobby", { auth: { name: "Ada", password: "sesame" } });
//	socket.on("said", (who, what) => console.log(who, what));
//	const answer = await socket.emitWithAck("say", { text: "good morning" });
//	socket.emit("show", new Uint8Array([1, 2, 3]));
//
// over polling at first, as official clients do, and then websocket;
// and clients that speak the protocol by hand: `40` joins a namespace, `42` is an event, `451-` one with an attachment, `43` an
// acknowledgement, `41` the end.
func Example() {
	registry := prometheus.NewRegistry()
	server := socketio.New(socketio.Config{
		AllowOrigin:           allowOrigin,
		Registerer:            registry,
		MaxPayload:            64 << 10,
		MaxAttachments:        1, // without it there is no binary
		SendBuffer:            256 << 10,
		Handshakes:            socketio.Rate{PerSecond: 200, Burst: 400},
		ConnectionsPerAddress: 50,
	})
	server.Namespace("/lobby", newLobby())
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", withCORS(server))
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{})) // elsewhere, where strangers come by
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()

	ada := dial(listener.Addr(), `40/lobby,{"name":"Ada","password":"sesame"}`)
	ada.hear(2)
	bob := dial(listener.Addr(), `40/lobby,{"name":"Bob","password":"sesame"}`)
	bob.hear(2)
	ada.say(`42/lobby,7["say",{"text":"good morning"}]`)
	ada.hear(1)
	bob.hear(1)
	bob.say(`451-/lobby,8["show",{"_placeholder":true,"num":0}]`)
	_ = bob.conn.WriteMessage(websocket.BinaryMessage, []byte("a picture"))
	bob.hear(1)
	ada.hear(2)
	eve := dial(listener.Addr(), `40/lobby,{"name":"Eve","password":"guess"}`)
	eve.hear(1)
	bob.say(`42/lobby,["dance"]`)
	bob.hear(2)
	metric(listener.Addr(), "dozaar_socketio_events_total")
	for _, origin := range []string{page, "https://elsewhere.example"} {
		preflight(listener.Addr(), origin)
	}

	// First the sockets, which end their connections in good order, then what is left of HTTP.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, c := range []client{ada, bob, eve} {
		_ = c.conn.Close()
	}
	err = errors.Join(server.Shutdown(ctx), web.Shutdown(ctx))
	fmt.Println("stopped:", err, errors.Is(<-served, http.ErrServerClosed))

	// Output:
	// 40/lobby
	// 42/lobby,["welcome","Ada",1]
	// 40/lobby
	// 42/lobby,["welcome","Bob",2]
	// 43/lobby,7["ok"]
	// 42/lobby,["said","Ada",{"text":"good morning"}]
	// 43/lobby,8["ok"]
	// 451-/lobby,["shown","Bob",{"_placeholder":true,"num":0}]
	// a picture
	// 44/lobby,{"message":"wrong password"}
	// 42/lobby,["goodbye","nobody here knows dance"]
	// 41/lobby,
	// dozaar_socketio_events_total 3
	// 204 No Content https://shop.example
	// 204 No Content
	// stopped: <nil> true
}

type client struct{ conn *websocket.Conn }

func dial(address net.Addr, connect string) client {
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+address.String()+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		panic(err)
	}
	c := client{conn}
	_, _, _ = conn.ReadMessage() // OPEN
	c.say(connect)
	return c
}

// preflight is a browser's question whether a page of this origin may poll.
func preflight(address net.Addr, origin string) {
	request, err := http.NewRequest(http.MethodOptions, "http://"+address.String()+"/socket.io/?EIO=4&transport=polling", nil)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Origin", origin)
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	_ = answer.Body.Close()
	fmt.Println(strings.TrimSpace(answer.Status + " " + answer.Header.Get("Access-Control-Allow-Origin")))
}

func metric(address net.Addr, name string) {
	answer, err := http.Get("http://" + address.String() + "/metrics")
	if err != nil {
		panic(err)
	}
	defer func() { _ = answer.Body.Close() }()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), name) {
			fmt.Println(lines.Text())
		}
	}
}

func (c client) say(packet string) {
	_ = c.conn.WriteMessage(websocket.TextMessage, []byte(packet))
}

func (c client) hear(packets int) {
	for range packets {
		_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, packet, err := c.conn.ReadMessage()
		if err != nil {
			fmt.Println(err)
			return
		}
		if string(packet[:2]) == "40" {
			packet = []byte("40/lobby") // an id of chance follows
		}
		fmt.Println(string(packet))
	}
}

// Sending to many: one Packet, one Room.
func ExampleRoom() {
	var room socketio.Room
	packet, err := socketio.Encode("/news", "headline", "a room of nobody costs nothing")
	if err != nil {
		fmt.Println(err)
		return
	}
	room.Send(packet)
	fmt.Println(room.Size(), string(packet.Payload()))
	// Output: 0 42/news,["headline","a room of nobody costs nothing"]
}
