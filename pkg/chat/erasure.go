package chat

import "time"

// Erasure is how far the erasing of what a person wrote has come. One person has one at a time, the newest.
type Erasure struct {
	UserID        ID
	RequestedAt   time.Time // whatever they wrote before is erased, to the millisecond
	Conversations int64     // those in which messages were erased, so far
	Messages      int64     // erased so far
	FinishedAt    time.Time // zero: not yet
}

// MaxErasureAhead is by how much a request's time may be ahead of the clock of whoever reads it: as much as clocks may differ.
// What is further ahead nobody asked for, and it would erase what is still to be written.
const MaxErasureAhead = time.Hour

// ErasedPart is some of a person's messages in one conversation, whose texts, attachments and sender's name are gone.
type ErasedPart struct {
	ConversationID ID
	Seqs           []int64   // ascending, at least one and at most 1,000
	From, To       time.Time // when the first and the last of them were sent
}

// ErasureChange is what happened to an erasure.
type ErasureChange string

// What an ErasureEvent may tell.
const (
	ErasureRequested ErasureChange = "requested"
	ErasureMessages  ErasureChange = "messages" // a part is erased from the history
	ErasureDone      ErasureChange = "done"     // all parts are
)

// ErasureEvent is what is told of an erasure, to whoever keeps copies.
type ErasureEvent struct {
	Change      ErasureChange
	UserID      ID
	RequestedAt time.Time
	Part        ErasedPart // of ErasureMessages
	Messages    int64      // of ErasureDone: how many were erased
	At          time.Time
}
