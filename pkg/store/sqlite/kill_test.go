package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

// writeUntilKilled names a file to a process started by TestKilled.
const writeUntilKilled = "DOZAAR_TEST_WRITE_UNTIL_KILLED"

const perRound = 20 // messages

func killedConversation() chat.ID { return chat.ConversationIDFromKey("killed") }

// runWriter writes round after round, and prints the number of each whose calls have all returned. It begins
// with the round that the last one was killed in, as deliver begins at the committed offset.
func runWriter(path string) int {
	ctx := context.Background()
	s, err := Open(ctx, path, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	last, err := s.LastBefore(ctx, killedConversation(), chat.Position{Epoch: 1})
	for round := max(1, last/perRound); err == nil; round++ {
		var list []chat.StoredMessage
		for i := range int64(perRound) {
			m := message(killedConversation(), (round-1)*perRound+i+1, strings.Repeat("text ", 50))
			m.ID = chat.ConversationIDFromKey(fmt.Sprint("message ", m.Seq)) // the same in a repeated round
			list = append(list, m)
		}
		if err = s.PutMessages(ctx, list); err != nil {
			break
		}
		if err = s.PutHeads(ctx, []chat.Head{head(list[perRound-1])}); err != nil {
			break
		}
		_, _, err = s.CreateConversation(ctx, chat.Conversation{
			ID: chat.NewID(), Key: fmt.Sprint("round ", round), Revision: 1, CreatedAt: list[0].CreatedAt,
			Members: []chat.Member{{UserID: killedConversation(), Username: "ann"}, {UserID: chat.NewID(), Username: "bob"}},
		})
		if err == nil {
			fmt.Println(round)
		}
	}
	fmt.Println(err)
	return 1
}

// A process killed while writing leaves everything whose call returned, nothing by half, and a sound file.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.db")
	for kill := range 4 {
		returned := killWriter(t, path, 15+11*kill)
		s := openAt(t, path)
		integrity(t, s.writer)
		checkAfterKill(t, s, returned)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killWriter lets a process write, kills it after some rounds, and says which round was its last to return.
func killWriter(t *testing.T, path string, rounds int) (returned int64) {
	t.Helper()
	writer := exec.CommandContext(t.Context(), os.Args[0])
	writer.Env = append(os.Environ(), writeUntilKilled+"="+path)
	out, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ { // to the end of what it printed, also what it did while we killed it
		if returned, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Fatalf("the writer says: %s", lines.Text())
		}
		if n == rounds {
			if err := writer.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := writer.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the writer was not killed: %v", err)
	}
	return returned
}

func checkAfterKill(t *testing.T, s *Store, returned int64) {
	t.Helper()
	ctx, conversation := t.Context(), killedConversation()
	list, err := s.Messages(ctx, conversation, 0, 1<<20)
	if err != nil || int64(len(list)) < returned*perRound {
		t.Fatalf("%d messages after %d rounds returned (%v)", len(list), returned, err)
	}
	var ids []chat.ID
	for i, m := range list {
		if m.Seq != int64(i+1) {
			t.Fatalf("message %d stands at %d", m.Seq, i+1)
		}
		ids = append(ids, m.ID)
	}
	if found, err := s.StoredByID(ctx, ids); err != nil || len(found) != len(ids) {
		t.Fatalf("%d by-id rows of %d messages (%v)", len(found), len(ids), err)
	}
	last, err := s.LastBefore(ctx, conversation, chat.Position{Epoch: 1})
	if err != nil || last%perRound != 0 {
		t.Fatalf("half a batch is stored: up to %d (%v)", last, err)
	}
	inbox, err := s.Inbox(ctx, conversation, chat.InboxCursor{}, 1<<20)
	if err != nil || int64(len(inbox)) < returned || int64(len(inbox)) > returned+1 {
		t.Fatalf("%d conversations after %d rounds returned (%v)", len(inbox), returned, err)
	}
	for _, e := range inbox {
		if len(e.Conversation.Members) != 2 {
			t.Fatalf("half a conversation is stored: %+v", e)
		}
	}
}
