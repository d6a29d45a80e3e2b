package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/dozaar/dozaar/pkg/socketio"
)

// lobby is a Handler: who has the password is in one room with all others, and what one says the others hear.
type lobby struct{ room socketio.Room }

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

func (l *lobby) Event(_ context.Context, s *socketio.Socket, e socketio.Event) {
	switch {
	case e.Name == "say" && len(e.Args) == 1:
		// Encoded once, whoever hears it. Args are JSON still, and may be passed on as they are.
		said, err := socketio.Encode("/lobby", "said", s.User(), e.Args[0])
		if err != nil {
			e.Ack("not understood")
			return
		}
		l.room.Send(said, s)
		e.Ack("ok")
	default:
		s.Close("unknown event") // the client hears of a kick, and does not come back by itself
	}
}

func (*lobby) Disconnected(*socketio.Socket, string) {}

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
//
// and clients that speak the protocol by hand: `40` joins a namespace, `42` is an event, `43` an acknowledgement, `41` the
// end.
func Example() {
	server := socketio.New(socketio.Config{
		AllowOrigin:           allowOrigin,
		MaxPayload:            64 << 10,
		SendBuffer:            256 << 10,
		Handshakes:            socketio.Rate{PerSecond: 200, Burst: 400},
		ConnectionsPerAddress: 50,
	})
	server.Namespace("/lobby", new(lobby))
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", withCORS(server))
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
	eve := dial(listener.Addr(), `40/lobby,{"name":"Eve","password":"guess"}`)
	eve.hear(1)
	bob.say(`42/lobby,["dance"]`)
	bob.hear(1)
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
	// 44/lobby,{"message":"wrong password"}
	// 41/lobby,
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
