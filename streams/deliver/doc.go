// Package deliver is the consumer that makes the promises: it numbers messages, stores them, and tells the
// gateways.
//
// One message's path, from the records of one partition of chat.messages on:
//
//	deliver.go        Config, the interfaces to the outside; Deliver makes a worker for each assignment
//	messages.go       Run: take records in their order, and forget everything at a jump
//	check.go            decode; what its bytes condemn goes to chat.deadletter, acknowledged before we go on
//	lanes.go          from here on each conversation by itself, one slice of its records after the other
//	slots.go          how many of them are at work; those that wait for something that is away do not count
//	slice.go          deliver: the following, what can beside each other
//	duplicates.go       drop what occurs at a lower position; another body under one client id is a conflict
//	number.go           1, 2, 3 …: from memory, the head, or the rows
//	slice.go            store: rows by message and by id, and the senders' read marks; then the head; then the inboxes
//	members.go          who is told: a cache at most four seconds old
//	rebroadcast.go      an envelope for each gateway that owns the room or has a member
//	publish.go        the message with its number to chat.messages.stored, for everybody else
//	tell.go, lookup.go  owners looked up now that all is stored, together with whoever else is ready
//	retry.go          how each of these steps is repeated
//
// receipts.go and conversations.go do the same for chat.receipts and chat.conversations, where nothing is numbered.
//
// It promises, to whoever commits the lowest offset that is not done, that everything below it is stored and published: each
// message stored exactly once, published at least once and in the order of numbers, under a number that follows from the log alone, so that any two workers, one of
// them a zombie perhaps, write the same rows. Nothing is told before it can be read in the history.
// While the store is away, or one conversation's rows are, what needs them waits; it is shown to nobody and not lost,
// and nothing else waits for it. While Redis is away messages are stored all the same, and rooms heal when it is back.
//
// It does not promise that an envelope arrives, or arrives once: gateways drop what they had and read what they
// missed, by the number. A receipt's `message:read` and a conflict's `exception` are lost with Redis. A message
// without a client id that somebody published under another conversation's message id is outside of all promises.
//
// The rules are argued where they are kept: messages.go, number.go, duplicates.go, check.go. model_test.go plays them in random
// histories, and mutants_test.go leaves out one after the other to see that the model notices.
package deliver
