package socketio

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// member is a client, and its socket on the server.
type member struct {
	peer
	socket *Socket
}

// members opens clients that are in room.
func members(t *testing.T, r *rig, sockets <-chan *Socket, room *Room, open func(*rig) peer, n int) []member {
	t.Helper()
	all := make([]member, n)
	for i := range all {
		p := open(r)
		join(t, p)
		all[i] = member{p, receive(t, "socket", sockets)}
		if !room.Join(all[i].socket) {
			t.Fatalf("socket %d was not taken in", i)
		}
	}
	return all
}

func encoded(t *testing.T, event string, args ...any) *Packet {
	t.Helper()
	p, err := Encode("/chat", event, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRoom(t *testing.T) {
	overBoth(t, func(t *testing.T, open func(*rig) peer) {
		sockets := make(chan *Socket, 1)
		r := newRig(t, Config{}, one(&script{connected: func(_ context.Context, s *Socket) { sockets <- s }}))
		room := new(Room)
		room.Send(encoded(t, "nobody"))
		all := members(t, r, sockets, room, open, 4)
		if !room.Join(all[0].socket) || room.Size() != 4 {
			t.Errorf("joined twice: %d", room.Size())
		}
		room.Send(encoded(t, "all", 1))
		room.Send(encoded(t, "others", 2), all[0].socket, all[3].socket)
		room.Leave(all[1].socket)
		room.Leave(all[1].socket)
		room.Send(encoded(t, "rest", 3))
		for i, want := range [][]string{
			{`["all",1]`, `["rest",3]`}, {`["all",1]`, `["others",2]`}, {`["all",1]`, `["others",2]`, `["rest",3]`}, {`["all",1]`, `["rest",3]`},
		} {
			_ = all[i].socket.Emit("end")
			for _, packet := range append(want, `["end"]`) {
				if got := expect(t, all[i], "42/chat,"); got != "42/chat,"+packet {
					t.Errorf("member %d got %s, want %s", i, got, packet)
				}
			}
		}
		if room.Size() != 3 {
			t.Errorf("%d are left", room.Size())
		}
		for _, m := range all {
			m.close()
		}
	})
}

// TestRoomIsLeft ends sockets in every way; none is in its rooms when its handler hears of it, and none
// comes back.
func TestRoomIsLeft(t *testing.T) {
	for name, end := range map[string]func(member){
		"kicked":       func(m member) { m.socket.Close("x") },
		"leaves":       func(m member) { m.send("41/chat,") },
		"closes":       func(m member) { m.send("1") },
		"panics":       func(m member) { m.send(`42/chat,["panic"]`) },
		"breaks rules": func(m member) { m.send("4nonsense") },
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, open func(*rig) peer) {
				first, second := new(Room), new(Room)
				sockets, sizes := make(chan *Socket, 1), make(chan string, 1)
				r := newRig(t, Config{}, one(&script{
					connected: func(_ context.Context, s *Socket) { sockets <- s },
					event:     func(context.Context, *Socket, Event) { panic("as asked") },
					disconnected: func(s *Socket, _ string) {
						sizes <- fmt.Sprint(first.Size(), second.Size(), first.Join(s))
					},
				}))
				all := members(t, r, sockets, first, open, 2)
				second.Join(all[0].socket)
				end(all[0])
				if got := receive(t, "Disconnected", sizes); got != "1 0 false" {
					t.Errorf("sizes of the rooms, and whether one was joined again: %s", got)
				}
				first.Send(encoded(t, "still"))
				expect(t, all[1], `42/chat,["still"]`)
				all[1].close()
				receive(t, "the other's end", sizes)
				all[0].close()
				if first.sockets != nil || first.at != nil {
					t.Error("an empty room keeps memory")
				}
			})
		})
	}
}

// TestRoomHasOneOrder has several speak at once: everybody hears them in one order.
func TestRoomHasOneOrder(t *testing.T) {
	const speakers, words, hearers = 4, 200, 8
	sockets := make(chan *Socket, 1)
	r := newRig(t, Config{}, one(&script{connected: func(_ context.Context, s *Socket) { sockets <- s }}))
	room := new(Room)
	all := members(t, r, sockets, room, func(r *rig) peer { return r.websocket() }, hearers)
	var speaking sync.WaitGroup
	for speaker := range speakers {
		speaking.Go(func() {
			for word := range words {
				room.Send(encoded(t, "said", speaker, word))
			}
		})
	}
	heard := make([]string, hearers)
	var hearing sync.WaitGroup
	for i, m := range all {
		hearing.Go(func() {
			var b strings.Builder
			for range speakers * words {
				packet, err := m.next()
				if err != nil {
					t.Errorf("member %d: %v", i, err)
					return
				}
				b.WriteString(packet)
			}
			heard[i] = b.String()
		})
	}
	speaking.Wait()
	hearing.Wait()
	for i, m := range all {
		if heard[i] != heard[0] {
			t.Errorf("members 0 and %d heard different orders", i)
		}
		m.close()
	}
}

// TestRoomInUse joins, leaves, sends and ends all at once. What is sent while a socket is a member for
// certain, it gets, in order.
func TestRoomInUse(t *testing.T) {
	const clients, packets = 12, 100
	var room Room
	r := newRig(t, Config{}, one(&script{event: func(_ context.Context, s *Socket, e Event) {
		switch e.Name {
		case "in":
			room.Join(s)
		case "out":
			room.Leave(s)
		case "say":
			room.Send(encoded(t, "said", e.Args[0]), s)
		}
		e.Ack()
	}}))
	steady := r.websocket()
	join(t, steady)
	steady.send(`42/chat,1["in"]`)
	expect(t, steady, "43/chat,1[]")
	speaker := r.websocket()
	join(t, speaker)

	var others sync.WaitGroup
	for i := range clients {
		others.Go(func() {
			for round := range 10 {
				p := r.websocket()
				join(t, p)
				p.send(`42/chat,["in"]`, `42/chat,["out"]`, `42/chat,["in"]`)
				if (i+round)%2 == 0 {
					p.send("41/chat,")
				}
				p.close()
			}
		})
	}
	go func() {
		for n := range packets {
			speaker.send(fmt.Sprintf(`42/chat,["say",%d]`, n))
		}
	}()
	for n := range packets {
		if got := expect(t, steady, "42/chat,"); got != fmt.Sprintf(`42/chat,["said",%d]`, n) {
			t.Fatalf("got %s in place of %d", got, n)
		}
	}
	others.Wait()
	eventually(t, "only who stays is in the room", func() bool { return room.Size() == 1 })
	steady.close()
	speaker.close()
	eventually(t, "nobody is in the room", func() bool { return room.Size() == 0 })
}
