// Package relay carries envelopes from whoever learns something (deliver, presence, another gateway)
// to the gateways whose sockets must hear of it, through one Redis stream per gateway instance.
//
//	Sender.Send ── XADD relay:<instance> {s b n d} ──► Receiver ── Handler.Receive, in order
//	Sender.Run  ── every second {s b n}            ──►          ── Handler.Resync, when something is missing
//
// It promises that what one caller sends to one gateway arrives in that order, each envelope at most
// once, and that a loss is noticed: each sender counts its envelopes to each gateway (n, the count
// after the entry, also when the append failed) and repeats the count every second, so that a
// receiver asks for a resync on a jump, on silence, after it was cut off or stood still, and when Redis has
// forgotten it. A loss is noticed, not repaired: the gateway reads again what is stored.
//
// It promises nothing to a gateway that is gone: an entry for a stream that is not there is dropped,
// streams are trimmed, and they end a minute after their gateway did. Envelopes of an Ephemeral
// sender (typing) are neither counted nor missed.
//
// The keys are in the table of docs/redis.md.
package relay
