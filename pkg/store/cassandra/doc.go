// Package cassandra keeps conversations, messages and marks in Cassandra: the store of roles that run as
// processes of their own. The tables are in schemas/cassandra; Migrate makes them, Open wants them made.
//
// What it promises is in storetest.Store, but for one sentence: a PutMessages that failed may have stored
// some of its rows. Cassandra could do better only by logged batches, at three times the price, for nothing:
// rows count once the head has passed them, whoever failed does not move the head, and repeating completes
// what is missing. A write that returned nil is on a quorum of replicas, and every later read asks a quorum.
//
// # Who wins
//
// Every write of the hot path carries a timestamp that says who wins, and none is a clock (timestamps.go):
//
//	messages           ascending with the position: the greater position stays
//	message_ids        descending with the position: the lower position stays
//	heads, inbox       the seq, of head or read mark: the greatest stays
//
// So all of them may be repeated, late and in any order, by any number of writers, and need no read, no
// lightweight transaction, no counter. At equal timestamps Cassandra keeps the greater value of each cell, and
// deletes beat values. The first is harmless, since one position holds one record and one seq one head; positions of
// one partition that differ have different timestamps up to 2^47 offsets and 2^14 epochs. The second never
// happens: nothing here is deleted, and no cell is null, so that nothing of a replaced row shines through. What is
// erased is written empty, with the odd timestamp above its row's own (erase.go).
//
// Conversations change seldom, and there lightweight transactions decide: who creates an id or a key
// (create.go), and which revision follows which (members.go). Their tables are written in no other way.
//
// # What a message costs
//
//	messages       1 row   the history
//	message_ids    1 row   duplicates are found by it, and marks
//	authors        1 row   for each person and bucket of 1,000 messages of a conversation, not each message
//	inbox          1 row   the sender's own read mark (PutReadMarks)
//	heads          1 row   for each slice of a conversation, not each message
//	conversations  1 read  who has an inbox row, for each slice (PutInboxes)
//	inbox          n rows  for n members, for each slice; at most Config.WideAbove
//
// Rows of one partition travel together in an unlogged batch, which Cassandra applies as one mutation.
//
// # The inbox
//
// Newest activity first wants an order that changes with every message. A table clustered by time would leave a
// tombstone behind each message, and every reader would wade through them; ordering when reading would
// cost a read of the head of every conversation that the user ever had. So each member has a row for each
// conversation, overwritten in place with the head's seq and time. A page reads the user's partition, about
// 100 bytes a conversation, sorts it in memory, and then reads the conversations and last messages it shows: two
// round trips, one partition, and two rows for each entry of the page, however many conversations there are.
// The read mark lives in the same row and comes for nothing. The price is a row a member; where a conversation
// has more than Config.WideAbove of them it is turned round: their rows say that it is wide, nobody
// copies the head, and each reader of an inbox reads the heads of his wide conversations, of which few have many.
//
// # What it leaves to the cluster
//
// A node that syncs its commit log periodically, which is Cassandra's default, acknowledges what a kill takes back: the
// last tenth of a second. Three replicas outlive that unless two die together; where there is one, commitlog_sync
// must be batch or group, or what Kafka's offsets say is stored is not.
//
// It promises nothing for partitions that others write by hand, and it never lowers a consistency level.
package cassandra
