package main

import (
	"strings"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/store/storetest"
)

func TestAStoreAndALogThatDoNotBelongTogetherAreRefused(t *testing.T) {
	topic := chat.TopicIdentity{Topic: "chat.messages", ID: "first", Partitions: 64}
	for name, c := range map[string]struct {
		known    bool
		topic    chat.TopicIdentity
		consumed bool
		says     string // "" where they belong together
	}{
		"both new":                   {false, topic, false, ""},
		"both known":                 {true, topic, true, ""},
		"the topic was made again":   {true, chat.TopicIdentity{Topic: "chat.messages", ID: "second", Partitions: 64}, true, "is not the one"},
		"the partitions were raised": {true, chat.TopicIdentity{Topic: "chat.messages", ID: "first", Partitions: 65}, true, "is not the one"},
		"the store was thrown away":  {false, topic, true, "the store is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			store := storetest.NewMemory()
			if c.known {
				if err := store.PutTopicIdentity(t.Context(), topic); err != nil {
					t.Fatal(err)
				}
			}
			_, err := matchTopics(t.Context(), store, []chat.TopicIdentity{c.topic}, c.consumed)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v; want %q", err, c.says)
			}
		})
	}
}
