// Package storetest says what a store is, and checks that one is.
//
// Store is every method of a backend with its contract. Run is the suite that every backend must pass:
// it calls nothing but Store, so that what one engine happens to do cannot become a rule. Memory is the
// contract in its shortest form, the oracle of the suite's random histories and a fake for other
// packages' tests; it promises no durability. The package belongs in tests, never in a program.
package storetest

import (
	"context"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Store is what every backend offers. Roles declare the few methods they call; this whole is for the suite.
//
// For every method: times are kept to the millisecond and come back in UTC; empty attachments, members and
// metadata come back nil; what was passed in and what came back share no memory with the store. A write whose
// call returned nil survives the process and is seen by every later read. A write whose call failed may have
// been done, though nothing of it by half, and may be repeated: every one is idempotent. An engine that is
// away, full, closed or slower than the deadline gives an error wrapping chat.ErrUnavailable; a cancelled
// context gives one wrapping context.Canceled.
type Store interface {
	// CreateConversation stores c, which has its ID, Revision and CreatedAt, unless its key (when not
	// empty) is taken, or its id under the same key: then it answers the first one whatever c says, and
	// created is false. An id that is taken under another key, or where just one of the two has a key,
	// is chat.ErrConflict.
	CreateConversation(ctx context.Context, c chat.Conversation) (stored chat.Conversation, created bool, err error)
	// Conversation reads one with its members, in the order in which they came. chat.ErrNotFound.
	Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error)
	// PutMember adds a member at the end, or changes one in place. The revision grows by one if anything
	// changed. It answers the conversation as it is then. chat.ErrNotFound.
	PutMember(ctx context.Context, conversation chat.ID, m chat.Member) (chat.Conversation, error)
	// RemoveMember takes a member out. The revision grows by one if there was such a member. It answers
	// the conversation as it is then. chat.ErrNotFound only where the conversation is not.
	RemoveMember(ctx context.Context, conversation, user chat.ID) (chat.Conversation, error)

	// Inbox lists a member's conversations, newest activity first and among equals the greater id first,
	// at most limit of them, from just below the cursor (the zero cursor: from the top).
	Inbox(ctx context.Context, user chat.ID, before chat.InboxCursor, limit int) ([]chat.InboxEntry, error)
	// Peers lists those who share a conversation with the user, once each, at most limit, by the newest
	// activity they share and among equals the smaller id first. The user is not among them. Of a user in more than
	// chat.PeersOf conversations, those with the greatest ids count, which are the youngest where ids are ours.
	Peers(ctx context.Context, user chat.ID, limit int) ([]chat.ID, error)

	// PutMessages stores messages and their by-id rows. A (conversation, seq) that is there keeps the
	// greater position; a message id that is there keeps the lower one, so the first body stands.
	// The conversation need not be known. All of the call is stored where it returned nil; some of it may be
	// where it did not.
	PutMessages(ctx context.Context, messages []chat.StoredMessage) error
	// PutHeads moves heads; the greatest seq of a conversation wins. What is below them is history.
	PutHeads(ctx context.Context, heads []chat.Head) error
	// PutInboxes has inboxes follow heads that were put before, of which the greatest seq of a conversation wins.
	// Until it has returned, Inbox and Peers may answer as if the heads had not moved.
	PutInboxes(ctx context.Context, heads []chat.Head) error
	// Revisions reads how often the members of conversations have changed, thousands at once. One that there is not is absent.
	Revisions(ctx context.Context, conversations []chat.ID) (map[chat.ID]int64, error)
	// Heads reads the heads of conversations, thousands at once. One without a message is absent.
	Heads(ctx context.Context, conversations []chat.ID) (map[chat.ID]chat.Head, error)
	// LastBefore is the greatest seq stored at a position lower than p, heads notwithstanding; 0 for none.
	LastBefore(ctx context.Context, conversation chat.ID, p chat.Position) (int64, error)
	// StoredByID finds where messages are, thousands at once. An unknown one is absent.
	StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error)
	// Messages reads up to limit messages above afterSeq in ascending order, never past the head.
	Messages(ctx context.Context, conversation chat.ID, afterSeq int64, limit int) ([]chat.Message, error)
	// MessagesBefore reads the newest limit messages below beforeSeq (0: from the head on down) in
	// ascending order, never past the head.
	MessagesBefore(ctx context.Context, conversation chat.ID, beforeSeq int64, limit int) ([]chat.Message, error)

	// Erase erases texts, attachments, the sender's name and the body's hash of every stored message that a user sent before
	// a time; a replay of the same position does not bring them back. It tells of each part once that is erased, also of what
	// was erased before, in no particular order of conversations. It ends with the first error, its own or each's, and may be
	// repeated. It costs what the user wrote.
	Erase(ctx context.Context, user chat.ID, before time.Time, each func(chat.ErasedPart) error) error
	// AuthorsKnown tells whether Erase finds every message, those that an older release has stored included.
	AuthorsKnown(ctx context.Context) (bool, error)
	// PutErasure remembers how far an erasure has come: of two requests of a user the newer stays, of one what has come
	// further.
	PutErasure(ctx context.Context, e chat.Erasure) error
	// Erasure is what stayed.
	Erasure(ctx context.Context, user chat.ID) (e chat.Erasure, found bool, err error)

	// PutReadMarks moves read marks; the greatest seq of a conversation and user wins.
	PutReadMarks(ctx context.Context, marks []chat.ReadMark) error
	// ReadSeqs is up to where each of the users has read a conversation; 0 for nothing.
	ReadSeqs(ctx context.Context, conversation chat.ID, users []chat.ID) (map[chat.ID]int64, error)

	// Settings answers each user's; one who has none has the zero value. With an error it answers for those whose
	// could be read.
	Settings(ctx context.Context, users []chat.ID) (map[chat.ID]chat.Settings, error)
	// PutInvisible has the user be seen as offline, or no longer.
	PutInvisible(ctx context.Context, user chat.ID, invisible bool) error
	// PutMuted mutes a conversation for the user, or no longer. It need not be one of theirs.
	PutMuted(ctx context.Context, user, conversation chat.ID, muted bool) error

	// Called answers where each user was last called to a conversation; one who never was is absent.
	Called(ctx context.Context, conversation chat.ID, users []chat.ID) (map[chat.ID]chat.Call, error)
	// PutCalled remembers calls; the greatest seq of a conversation and user wins.
	PutCalled(ctx context.Context, calls []chat.Call) error

	// TopicIdentity is what was last put under the topic's name.
	TopicIdentity(ctx context.Context, topic string) (identity chat.TopicIdentity, found bool, err error)
	// PutTopicIdentity remembers a topic, in place of what was known of that name.
	PutTopicIdentity(ctx context.Context, identity chat.TopicIdentity) error
}
