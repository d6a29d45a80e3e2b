package schemas

import (
	"embed"
	"fmt"
)

// Topics of the events, as topics.yaml describes them.
const (
	TopicMessages      = "chat.messages"
	TopicReceipts      = "chat.receipts"
	TopicConversations = "chat.conversations"
	TopicStored        = "chat.messages.stored"
	TopicErasures      = "chat.erasures"
	TopicPresence      = "chat.presence"
	TopicNotifications = "chat.notifications"
	TopicDeadLetter    = "chat.deadletter"
)

// Event ties a schema to its topic and to its CloudEvents type.
type Event struct {
	Name  string // its folder in avro/
	Topic string
	Type  string // ce_type
}

// The events.
var (
	MessageSent         = Event{Name: "message_sent", Topic: TopicMessages, Type: "dozaar.message.sent"}
	MessageRead         = Event{Name: "message_read", Topic: TopicReceipts, Type: "dozaar.message.read"}
	ConversationChanged = Event{Name: "conversation_changed", Topic: TopicConversations, Type: "dozaar.conversation.changed"}
	MessageStored       = Event{Name: "message_stored", Topic: TopicStored, Type: "dozaar.message.stored"}
	UserErased          = Event{Name: "user_erased", Topic: TopicErasures, Type: "dozaar.user.erased"}
	PresenceChanged     = Event{Name: "presence_changed", Topic: TopicPresence, Type: "dozaar.presence.changed"}
	NotificationDue     = Event{Name: "notification_due", Topic: TopicNotifications, Type: "dozaar.notification.due"}
)

// Events lists them in the order in which they are registered; new ones come last.
func Events() []Event {
	return []Event{MessageSent, MessageRead, ConversationChanged, MessageStored, UserErased, PresenceChanged, NotificationDue}
}

// Subject is the name of the event's schema in a registry.
func (e Event) Subject() string { return e.Topic + "-value" }

// Schema is the text of the newest version, which this program writes and reads.
func (e Event) Schema() string {
	versions := e.Versions()
	return versions[len(versions)-1]
}

// Versions are the texts of all versions, the oldest first.
func (e Event) Versions() []string {
	var versions []string
	for {
		text, err := files.ReadFile(fmt.Sprintf("avro/%s/v%d.avsc", e.Name, len(versions)+1))
		if err != nil {
			break
		}
		versions = append(versions, string(text))
	}
	if len(versions) == 0 {
		panic("schemas: " + e.Name + " has no version") // the files are part of the binary
	}
	return versions
}

//go:embed avro topics.yaml
var files embed.FS
