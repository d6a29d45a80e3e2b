// Package socketio is a Socket.IO server (protocol 5 over Engine.IO 4) that keeps its promises under
// load and under attack. It knows nothing of chat and could be lifted out of this repository.
//
// It stands on github.com/zishang520/socket.io/servers/socket/v3: that library owns namespaces and the
// CONNECT exchange. Everything a frame touches afterwards (both transports, the upgrade between them,
// the send queue, decoding, encoding, closing) is this package's own, plugged in where the library
// takes an Engine.IO implementation (Bind of the library's Server).
//
// A Server is an http.Handler; Namespace gives it a Handler for each namespace. A Handler may embed Handlers, a table of
// functions with typed arguments, for its events. The example is a whole server.
//
// What it promises:
//
//   - The events of one socket reach its Handler one at a time and in the order in which they were
//     sent: over websocket, over polling, and across the upgrade from one to the other. None is lost
//     between CONNECT and Connected.
//   - The goroutine that reads a connection runs its Handler. A Handler that blocks is back-pressure
//     for that one client, and for nobody else.
//   - Emit and Send never block. What waits for a client is bounded in bytes; past the bound its
//     connection is closed and counted. A Packet is encoded and framed once, however many sockets
//     it is sent to.
//   - Every Connected is followed by exactly one Disconnected, after the last Event has returned.
//   - A client can tell a kick from a cut: Socket.Close sends DISCONNECT behind what waits. Whoever hears it may join
//     again at once; the Handler hears of the old socket's end first.
//   - A panic in a Handler ends that one socket. A packet that breaks the protocol ends its
//     connection, and so does a Handler that ends its goroutine. None of it ends the process.
//   - Nothing that a stranger sends is kept without a bound, and no query string is logged.
//
// What it leaves out:
//
//   - Protocol revisions before 4, JSONP, WebTransport, compression and connection state recovery.
//   - Acknowledgements asked for by the server. An acknowledgement that a client sends is therefore an error.
//   - Other processes: there is no adapter, and a Room is of one process. What is to reach the sockets of others goes
//     through a broker of the caller's.
//   - A list of a namespace's sockets, and so sending to all of it or closing one by its id; walking through a Room.
//     Keep what you need from Connected to Disconnected: a Room of all, a map of sockets.
//   - Namespaces that come and go (all are known before serving), and middleware: Authenticate, or a Handler around a
//     Handler, does that.
//   - Binary inside of an argument that goes out: see Binary. What comes in so is found by Event.Attachment.
//   - CORS headers, which a handler around this one sets, as in the example.
//   - Limits that need to know who somebody is or what an event costs (events per second, sockets per user):
//     Authenticate can refuse, and Event can answer with an error or Close.
//
// # Origins
//
// Where AllowOrigin is nil, pages of every origin may connect, by websocket too. CORS stops other pages from reading what polling is answered,
// but nothing of the kind is asked before a websocket, and browsers send cookies along: where Authenticate goes by a
// cookie, any page in the world then acts as its visitor. Set AllowOrigin, or go by what only your pages know, such as a
// token in Handshake.Auth.
//
// # Limits
//
// Each is a field of Config unless it says so, and each counts what it turned away, in refusals_total{why} or
// closes_total{reason}:
//
//	MaxPayload             closes "payload too large" (1009, or 413)
//	MaxUnjoinedPayload     the same, until a namespace is joined
//	Chatter                closes "flood" (1008)
//	MaxAttachments         closes "parse error" (1002), as all that breaks the protocol; 0, the default, takes no binary
//	SendBuffer             closes "send buffer overflow", and send_overflows_total
//	ConnectTimeout         closes "connect timeout" (1008)
//	PingTimeout            closes "ping timeout"
//	WriteTimeout           closes "transport error"
//	Handshakes             refusals "handshake rate" (503 with Retry-After)
//	MaxUnjoined            closes "crowded out" (1013): the oldest makes room
//	ConnectionsPerAddress  refusals "address", "address rate" (429 with Retry-After)
//	AllowOrigin            refusals "origin" (403)
//	32 KiB of header       refusals "header" (431), also past 100 fields; no setting
//	a Handler's Refusal    refusals "connect" (CONNECT_ERROR)
//	CONNECTs               closes "parse error" (1002); no setting
//
// Of CONNECTs a connection has 100 at once and one a second after that, in all namespaces together; one that is refused
// counts for ten. So a page may join and leave a namespace with each view for days. A refusal is never a ban.
//
// # Several processes
//
// Polling keeps a session in the memory of one process, so several processes behind a load balancer
// need sticky sessions for it. Clients that use websocket alone need none.
//
// # Metrics
//
// All are called dozaar_socketio_…, and published by Config.Registerer:
//
//	connections{transport}   open connections, polling and websocket; those in no namespace yet included
//	connects_total           sockets that joined a namespace
//	refusals_total{why}      requests and CONNECTs that were refused: the limits above, and requests that make no sense
//	closes_total{reason}     sockets that left or were closed while their connection went on, and connections that ended
//	                         with all sockets they had; by the Reason constants and what Socket.Close was given: of
//	                         all together 40 different ones, the rest being "other"
//	send_overflows_total     connections closed because more than SendBuffer waited
//	events_total             events received
//	received_bytes_total     bytes of packets received, without framing
//	sent_bytes_total         bytes of frames and of polls' answers sent
//	panics_total             panics in Handlers, and goroutines that they ended
//
// # The way of an event
//
//	http.go       a request is checked and finds its session, or opens one,
//	admission.go  as far as the limits go; address.go   who it comes from
//	polling.go    GET and POST         websocket.go   websockets; upgrade.go   the change-over
//	wsread.go     frames as they come; past gorilla/websocket, which sees to the handshake alone
//	session.go    one Engine.IO session: its state, its send queue, how it ends
//	sending.go    how what waits goes out: at once, or gathered
//	client.go     Socket.IO packets of a session; connect.go   CONNECT, through the library
//	packet.go     decoding; json.go   the arguments of an event, each still as JSON; binary.go   attachments
//	handlers.go   a table of typed events
//	socket.go     what a Handler holds; encode.go   what goes out; drain.go   at what pace
//	room.go       sets of sockets; writers.go   who writes to all of them
//	library.go    where the library underneath is plugged in, for as long as a CONNECT takes
//	header.go     what a session keeps of its request
//	newcomers.go  who belongs to no namespace yet; meter.go   how much somebody did lately
//
// Locks: session.inbound before client.kicks and Room.mu before session.mu (heartbeat only tries inbound) before client.mu;
// writer.mu, Server.mu, newcomers.mu and places.mu are leaves. inbound is held
// while a Handler runs and guards the order of events; mu guards state and queue and is never held
// across a call out of the package or a system call.
package socketio
