// Package deliver is the consumer that makes the promises: it numbers messages, stores them, and tells the
// gateways.
//
// One message's path, from a batch of one partition of chat.messages on:
//
//	deliver.go        Config, the interfaces to the outside; Deliver makes a worker for each assignment
//	messages.go       Process: cut the batch at jumps, then for each run of offsets
//	check.go            decode; what its bytes condemn goes to chat.deadletter, acknowledged before we go on
//	duplicates.go       drop what occurs at a lower position; another body under one client id is a conflict
//	number.go           1, 2, 3 … in each conversation: from memory, the head, or the rows
//	messages.go         store: rows by message and by id, then the senders' read marks, then the heads
//	members.go          who is told: a cache at most four seconds old
//	rebroadcast.go      an envelope for each gateway that owns the room or has a member
//	tell.go             owners looked up now that all is stored, one lookup and one send for the run
//	retry.go          how each of these steps is repeated
//
// receipts.go and conversations.go do the same for chat.receipts and chat.conversations, where nothing is numbered.
//
// It promises, to whoever commits an offset after Process returned nil, that everything below it is stored: each
// message exactly once, under a number that follows from the log alone, so that any two workers, one of
// them a zombie perhaps, write the same rows. Nothing is told before it can be read in the history.
// While the store is away a batch waits; it is shown to nobody and not lost. While Redis is away
// messages are stored all the same, and rooms heal when it is back.
//
// It does not promise that an envelope arrives, or arrives once: gateways drop what they had and read what they
// missed, by the number. A receipt's `message:read` and a conflict's `exception` are lost with Redis. A message
// without a client id that somebody published under another conversation's message id is outside of all promises.
//
// The rules are argued where they are kept: number.go, duplicates.go, check.go. model_test.go plays them in random
// histories, and mutants_test.go leaves out one after the other to see that the model notices.
package deliver
