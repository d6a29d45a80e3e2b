package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/strictjson"
)

const (
	// maxBodyBytes bounds what a request may carry.
	maxBodyBytes = 1 << 20
	// maxMetadataDepth bounds how deep metadata may be nested: whoever reads it years later, in
	// whatever language, has a parser with a limit of its own.
	maxMetadataDepth = 32
	// wholeBody names the body where no field of it is at fault.
	wholeBody = "body"
)

// newConversation is the body of POST /v1/conversations.
type newConversation struct {
	ID       strictjson.ID   `json:"id"`
	Key      string          `json:"key"`
	Members  []newMember     `json:"members"`
	Metadata json.RawMessage `json:"metadata"`
}

// newMember is a member in that body, and the body of PUT …/members/{userId}.
type newMember struct {
	UserID   strictjson.ID `json:"userId"`
	Username string        `json:"username"`
	Role     string        `json:"role"`
}

// newMessage is the body of POST …/messages. There is no sender in it: that is the token's user.
type newMessage struct {
	Message         string        `json:"message"`
	AttachmentURLs  []string      `json:"attachmentUrls"`
	ClientMessageID strictjson.ID `json:"clientMessageId"`
}

func (n newConversation) conversation() (chat.Conversation, error) {
	c := chat.Conversation{ID: n.ID.ID, Key: n.Key, Members: make([]chat.Member, 0, len(n.Members))}
	for _, m := range n.Members {
		c.Members = append(c.Members, m.member())
	}
	var err error
	if c.Metadata, err = metadata(n.Metadata); err != nil {
		return chat.Conversation{}, err
	}
	return c, c.Validate()
}

func (n newMember) member() chat.Member {
	return chat.Member{UserID: n.UserID.ID, Username: n.Username, Role: n.Role}
}

func (n newMessage) draft() (chat.Draft, error) {
	d := chat.Draft{Text: n.Message, AttachmentURLs: n.AttachmentURLs, ClientMessageID: n.ClientMessageID.ID}
	return d, d.Validate()
}

// readBody reads the request's JSON object. Unknown fields are ignored, and so is what the client calls
// it (Content-Type): JSON is all there is.
func readBody(r *http.Request, into any) error {
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &chat.Error{Code: chat.CodeTooLarge, Field: wholeBody, Message: fmt.Sprintf("is larger than %d bytes", maxBodyBytes)}
	case err != nil:
		return chat.Invalid(wholeBody, "did not arrive whole")
	}
	return strictjson.Object(data, into, wholeBody)
}

// metadata is what a marketplace attached, without blanks, in a form that every JSON reader takes: of
// bounded depth and with numbers that a float64 holds. Null is none.
func metadata(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	for d, depth := json.NewDecoder(bytes.NewReader(raw)), 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, chat.Invalid("metadata", "has a number out of range")
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth > maxMetadataDepth {
			return nil, chat.Invalid("metadata", fmt.Sprintf("is nested more than %d deep", maxMetadataDepth))
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, chat.Invalid("metadata", "is not valid JSON")
	}
	return compact.Bytes(), nil
}
