// Package presence is the routing table: which gateway instances have a device of a user, and which
// have a socket in a conversation's room. A user is online while one lease lives, and the gateways
// with a live lease are the ones to send to.
//
//	gateway    Leases     Connect, Disconnect, OpenRoom, CloseRoom; renews every third of the TTL
//	deliver    Directory  Owners: where to send
//	gateway    View       Statuses: who is online, as far as one may see it; Missed: what was shown and is no longer so
//	notify     Directory  Attendances: who was there
//	presence   Sweeper    finds leases that are over, takes their users offline, has it announced
//
// All times in it are Redis's own, read inside the scripts, so the clocks of the processes don't
// matter. The keys are spread over 32 shards, each in one hash slot: one script changes a user's
// leases, state and place in the index together, so no crash of a client comes between them.
//
// It promises:
//
//   - A user goes online and offline by one atomic change of their state, which exactly one caller is
//     given, with a version that is greater than all before, also after Redis has lost everything.
//   - A change that nobody confirmed to be told (Directory.Told) is given to a sweeper again, so that a
//     crash between the change and its announcement costs seconds and not the announcement.
//   - A Redis that was lost, came back older, was replaced in a failover, or was out of everybody's reach
//     starts a new generation of each shard concerned. Gateways see it within a second and write everything again; until the
//     shard has settled nobody is taken offline and whoever has no lease is unknown, not offline.
//   - Who left while Redis was away, or shortly before it forgot, is told to it again, so that their
//     going offline is announced all the same.
//   - Whoever is invisible is, to everybody who asks or listens, as they were before they hid, and reachable all the same. Whom
//     somebody may not see is answered as an id that does not exist.
//   - What a gateway's leases cost does not depend on when they came: renewals and extensions are spread.
//   - Every key ends by itself.
//   - What a gateway showed its sockets is looked at again when it may have missed something (Directory.Missed). So nobody stays
//     online there whose own gateway died while Redis lost all that it knew, or whose going was lost on the way.
//
// It does not promise to announce who came online when Redis lost its data before that was told, a moment later as a rule.
// Asked, it says online.
//
// The keys are in the table of docs/redis.md.
package presence
