package gateway

import (
	"encoding/json"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/strictjson"
)

// decodeConversation reads a payload that names a conversation and nothing else.
func decodeConversation(payload json.RawMessage) (chat.ID, error) {
	var in struct {
		ConversationID strictjson.ID `json:"conversationId"`
	}
	if err := strictjson.Object(payload, &in, "payload"); err != nil {
		return chat.ID{}, err
	}
	return in.ConversationID.ID, in.ConversationID.Required("conversationId")
}
