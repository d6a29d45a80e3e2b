package chat_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

func TestConversationValidate(t *testing.T) {
	bea, sam := chat.Member{UserID: chat.NewID(), Username: "Bea", Role: "buyer"}, chat.Member{UserID: chat.NewID(), Username: "Sam"}
	two := []chat.Member{bea, sam}
	tests := []struct {
		name  string
		c     chat.Conversation
		field string
	}{
		{"two members", chat.Conversation{Members: two}, ""},
		{"key and metadata", chat.Conversation{Members: two, Key: "listing:1/buyer:2", Metadata: json.RawMessage(`{"price":1}`)}, ""},
		{"nobody", chat.Conversation{}, "members"},
		{"somebody twice", chat.Conversation{Members: []chat.Member{bea, sam, bea}}, "members[2].userId"},
		{"no user id", chat.Conversation{Members: []chat.Member{{Username: "x"}}}, "members[0].userId"},
		{"no name", chat.Conversation{Members: []chat.Member{bea, {UserID: chat.NewID()}}}, "members[1].username"},
		{"long role", chat.Conversation{Members: []chat.Member{{UserID: chat.NewID(), Username: "x", Role: strings.Repeat("r", 33)}}}, "members[0].role"},
		{"too many", chat.Conversation{Members: make([]chat.Member, chat.MaxMembers+1)}, "members"},
		{"long key", chat.Conversation{Members: two, Key: strings.Repeat("k", 257)}, "key"},
		{"bad key", chat.Conversation{Members: two, Key: "\xff"}, "key"},
		{"metadata is a list", chat.Conversation{Members: two, Metadata: json.RawMessage(`[]`)}, "metadata"},
		{"metadata is null", chat.Conversation{Members: two, Metadata: json.RawMessage(`null`)}, "metadata"},
		{"large metadata", chat.Conversation{Members: two, Metadata: json.RawMessage(`{"a":"` + strings.Repeat("x", 16<<10) + `"}`)}, "metadata"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantField(t, tt.c.Validate(), tt.field) })
	}
}

func TestUserValidate(t *testing.T) {
	wantField(t, chat.User{ID: chat.NewID(), Username: "Bea"}.Validate(), "")
	wantField(t, chat.User{Username: "Bea"}.Validate(), "sub")
	wantField(t, chat.User{ID: chat.NewID()}.Validate(), "username")
	wantField(t, chat.User{ID: chat.NewID(), Username: strings.Repeat("é", 129)}.Validate(), "username")
}

func TestErrorsCompareByCode(t *testing.T) {
	wrapped := fmt.Errorf("store: %w", fmt.Errorf("%w: disk", chat.ErrUnavailable))
	if !errors.Is(wrapped, chat.ErrUnavailable) || errors.Is(wrapped, chat.ErrNotFound) {
		t.Error("a wrapped error is not found by its code")
	}
	if e := chat.AsError(errors.New("secret detail")); e.Code != chat.CodeInternal || strings.Contains(e.Error(), "secret") {
		t.Errorf("an unknown error shows as %v", e)
	}
}

func TestPositionsAreOrderedByEpochFirst(t *testing.T) {
	ordered := []chat.Position{{0, 0}, {0, 5}, {1, 0}, {1, 7}, {2, 3}}
	for i, p := range ordered {
		for j, q := range ordered {
			if p.Before(q) != (i < j) {
				t.Errorf("%v before %v is %v", p, q, p.Before(q))
			}
		}
	}
}

func TestUnreadIsArithmetic(t *testing.T) {
	for _, tt := range []struct{ last, read, want int64 }{{0, 0, 0}, {5, 2, 3}, {5, 5, 0}, {5, 6, 0}} {
		if got := (chat.InboxEntry{LastSeq: tt.last, ReadSeq: tt.read}).Unread(); got != tt.want {
			t.Errorf("head %d, mark %d: %d unread", tt.last, tt.read, got)
		}
	}
}
