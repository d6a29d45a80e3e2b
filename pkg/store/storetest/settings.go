package storetest

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
)

func checkSettings(t *testing.T, s Store) {
	ctx, u, v, nobody := t.Context(), chat.NewID(), chat.NewID(), chat.NewID()
	a, b := chat.NewID(), chat.NewID()
	settings := func(want map[chat.ID]chat.Settings) {
		t.Helper()
		got := get[map[chat.ID]chat.Settings](t)(s.Settings(ctx, []chat.ID{u, v, nobody, u}))
		for _, of := range got {
			slices.SortFunc(of.Muted, func(x, y chat.ID) int { return slices.Compare(x[:], y[:]) })
		}
		equal(t, "settings", got, want)
	}
	settings(map[chat.ID]chat.Settings{u: {}, v: {}, nobody: {}})
	must(t, s.PutInvisible(ctx, u, true))
	must(t, s.PutMuted(ctx, u, a, true))
	must(t, s.PutMuted(ctx, u, b, true))
	must(t, s.PutMuted(ctx, u, b, true))
	must(t, s.PutMuted(ctx, v, b, true))
	settings(map[chat.ID]chat.Settings{u: {Invisible: true, Muted: []chat.ID{a, b}}, v: {Muted: []chat.ID{b}}, nobody: {}})
	must(t, s.PutMuted(ctx, u, a, false))
	must(t, s.PutMuted(ctx, v, b, false))
	must(t, s.PutMuted(ctx, v, a, false))
	settings(map[chat.ID]chat.Settings{u: {Invisible: true, Muted: []chat.ID{b}}, v: {}, nobody: {}})
	must(t, s.PutInvisible(ctx, u, false))
	must(t, s.PutInvisible(ctx, u, false))
	must(t, s.PutMuted(ctx, v, b, true)) // again after it was taken back
	settings(map[chat.ID]chat.Settings{u: {Muted: []chat.ID{b}}, v: {Muted: []chat.ID{b}}, nobody: {}})
	equal(t, "of none", get[map[chat.ID]chat.Settings](t)(s.Settings(ctx, nil)), map[chat.ID]chat.Settings{})
}

func checkCalls(t *testing.T, s Store) {
	ctx, c, d, u, v := t.Context(), chat.NewID(), chat.NewID(), chat.NewID(), chat.NewID()
	call := func(conversation, user chat.ID, seq int64) chat.Call {
		return chat.Call{ConversationID: conversation, UserID: user, Seq: seq, At: dawn().Add(-time.Duration(seq) * time.Hour)}
	}
	called := func(conversation chat.ID, want ...chat.Call) {
		t.Helper()
		expected := map[chat.ID]chat.Call{}
		for _, w := range want {
			w.At = milliseconds(w.At)
			expected[w.UserID] = w
		}
		equal(t, "calls", get[map[chat.ID]chat.Call](t)(s.Called(ctx, conversation, []chat.ID{u, v, u})), expected)
	}
	called(c)
	must(t, s.PutCalled(ctx, nil))
	must(t, s.PutCalled(ctx, []chat.Call{call(c, u, 3), call(d, v, 9)}))
	called(c, call(c, u, 3))
	must(t, s.PutCalled(ctx, []chat.Call{call(c, u, 2), call(c, v, 5), call(d, v, 10)}))
	called(c, call(c, u, 3), call(c, v, 5))
	called(d, call(d, v, 10))
}

// checkPeersOfABigSeller: of very many conversations the youngest are looked at, and it is said which.
func checkPeersOfABigSeller(t *testing.T, s Store) {
	ctx, seller := t.Context(), chat.NewID()
	const more = 3
	buyers := make([]chat.ID, chat.PeersOf+more)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i := range buyers {
		buyers[i] = chat.NewID()
		id := chat.ID{6: 0x70, 8: 0x80, 14: byte(i >> 8), 15: byte(i)} // version 7, ascending
		copy(id[9:], seller[9:13])
		group.Go(func() error {
			_, _, err := s.CreateConversation(ctx, chat.Conversation{
				ID: id, Revision: 1, CreatedAt: dawn().Add(time.Duration(i) * time.Second),
				Members: []chat.Member{{UserID: seller, Username: "seller"}, {UserID: buyers[i], Username: "buyer"}},
			})
			return err
		})
	}
	must(t, group.Wait())
	got := get[[]chat.ID](t)(s.Peers(t.Context(), seller, len(buyers)))
	slices.Reverse(got)
	equal(t, "peers", got, buyers[more:])
}
