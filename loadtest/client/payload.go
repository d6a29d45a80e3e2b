package client

import (
	"time"

	"github.com/google/uuid"
)

// Message is what a device sends. Without a Client id it is tried once only, because a second try would be
// a second message.
type Message struct {
	Conversation uuid.UUID
	Client       uuid.UUID
	Text         string
	Attachments  []string
	Due          time.Time // when it should have been sent
}

// Stored is a message as the server tells it, in `new:message` and in the history.
type Stored struct {
	ID              uuid.UUID `json:"id"`
	ConversationID  uuid.UUID `json:"conversationId"`
	Seq             int64     `json:"seq"`
	SenderID        uuid.UUID `json:"senderId"`
	Message         string    `json:"message"`
	AttachmentURLs  []string  `json:"attachmentUrls"`
	ClientMessageID uuid.UUID `json:"clientMessageId"`
}

type user struct {
	ID uuid.UUID `json:"id"`
}

type joined struct {
	ConversationID uuid.UUID `json:"conversationId"`
	LastSeq        int64     `json:"lastSeq"`
	ReadSeq        int64     `json:"readSeq"`
	Recovered      bool      `json:"recovered"`
	Missed         int64     `json:"missed"`
}

type notification struct {
	ConversationID uuid.UUID `json:"conversationId"`
	MessageID      uuid.UUID `json:"messageId"`
	Seq            int64     `json:"seq"`
	Sender         user      `json:"sender"`
}

type read struct {
	MessageID      uuid.UUID `json:"messageId"`
	ConversationID uuid.UUID `json:"conversationId"`
	Seq            int64     `json:"seq"`
	ReadBy         uuid.UUID `json:"readBy"`
}

type exception struct {
	Event           string    `json:"event"`
	Code            string    `json:"code"`
	ConversationID  uuid.UUID `json:"conversationId"`
	ClientMessageID uuid.UUID `json:"clientMessageId"`
}

// acknowledgement is what every event is answered with.
type acknowledgement struct {
	OK        bool      `json:"ok"`
	Code      string    `json:"code"`
	MessageID uuid.UUID `json:"messageId"`
}

type place struct {
	ConversationID uuid.UUID `json:"conversationId"`
}

type join struct {
	ConversationID uuid.UUID `json:"conversationId"`
	AfterSeq       *int64    `json:"afterSeq,omitempty"`
}

type send struct {
	ConversationID  uuid.UUID `json:"conversationId"`
	Message         string    `json:"message,omitempty"`
	AttachmentURLs  []string  `json:"attachmentUrls,omitempty"`
	ClientMessageID uuid.UUID `json:"clientMessageId,omitzero"`
}

type mark struct {
	MessageID uuid.UUID `json:"messageId"`
}

type status struct {
	UserIDs []uuid.UUID `json:"userIds"`
}
