package cassandra

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// listed is a conversation as a user's inbox row has it.
type listed struct {
	conversation chat.ID
	activityAt   int64 // milliseconds
	lastSeq      int64
	readSeq      int64
}

// newestFirst is negative where a stands above b.
func newestFirst(a, b listed) int {
	return cmp.Or(cmp.Compare(b.activityAt, a.activityAt), bytes.Compare(b.conversation[:], a.conversation[:]))
}

// Inbox lists a member's conversations, newest activity first and among equals the greater id first, at
// most limit of them, from just below the cursor.
func (s *Store) Inbox(ctx context.Context, user chat.ID, before chat.InboxCursor, limit int) ([]chat.InboxEntry, error) {
	var entries []chat.InboxEntry
	err := s.measure(ctx, "inbox", func() error {
		if limit <= 0 {
			return nil
		}
		list, err := s.listed(ctx, user, `SELECT `+listedColumns+` FROM inbox WHERE user_id = ?`)
		if err != nil {
			return err
		}
		if !before.ActivityAt.IsZero() || before.ConversationID != (chat.ID{}) {
			cursor := listed{activityAt: before.ActivityAt.UnixMilli(), conversation: before.ConversationID}
			list = slices.DeleteFunc(list, func(l listed) bool { return newestFirst(l, cursor) <= 0 })
		}
		slices.SortFunc(list, newestFirst)
		// Once as a rule: a row may belong to a conversation that the user is not, or not yet, a member of.
		for len(list) > 0 && len(entries) < limit {
			n := min(limit-len(entries), len(list))
			page, err := s.entries(ctx, user, list[:n])
			if err != nil {
				return err
			}
			entries, list = append(entries, page...), list[n:]
		}
		return nil
	})
	return entries, err
}

const listedColumns = `conversation_id, member, created_at, wide, last_seq, activity_at, read_seq`

// newestListed are the chat.PeersOf rows with the greatest ids.
var newestListed = fmt.Sprintf(`SELECT %s FROM inbox WHERE user_id = ? ORDER BY conversation_id DESC LIMIT %d`, listedColumns, chat.PeersOf)

// listed reads a user's inbox rows, in no order of activity, and the heads of wide conversations.
func (s *Store) listed(ctx context.Context, user chat.ID, statement string) ([]listed, error) {
	var list []listed
	var wide []chat.ID
	at := map[chat.ID]int{}
	err := rows(s.request(ctx, statement, uuid(user)),
		func(row gocql.Scanner) (bool, error) {
			var (
				conversation          gocql.UUID
				member, isWide        bool
				createdAt, activityAt int64
				l                     listed
			)
			if err := row.Scan(&conversation, &member, &createdAt, &isWide, &l.lastSeq, &activityAt, &l.readSeq); err != nil || !member {
				return false, err
			}
			l.conversation, l.activityAt = chat.ID(conversation), createdAt
			if l.lastSeq > 0 {
				l.activityAt = activityAt
			}
			if isWide {
				wide = append(wide, l.conversation)
				at[l.conversation] = len(list)
			}
			list = append(list, l)
			return false, nil
		})
	if err != nil || len(wide) == 0 {
		return list, err
	}
	heads := make(map[chat.ID]chat.Head, len(wide))
	if err := s.heads(ctx, wide, heads); err != nil {
		return nil, err
	}
	for conversation, head := range heads {
		if l := &list[at[conversation]]; head.Seq > l.lastSeq {
			l.lastSeq, l.activityAt = head.Seq, head.ActivityAt.UnixMilli()
		}
	}
	return list, nil
}

// entries reads what a page shows: each conversation beside its last message. Those that the user is no member of
// are left out.
func (s *Store) entries(ctx context.Context, user chat.ID, list []listed) ([]chat.InboxEntry, error) {
	entries := make([]chat.InboxEntry, len(list))
	shown := make([]bool, len(list))
	err := s.each(ctx, 2*len(list), func(ctx context.Context, i int) (err error) {
		e, l := &entries[i/2], list[i/2]
		if i%2 == 0 {
			if l.lastSeq > 0 {
				e.LastMessage, err = s.message(ctx, l.conversation, l.lastSeq)
			}
			return err
		}
		r, found, err := s.conversation(ctx, l.conversation, s.quorum)
		_, member := r.Member(user)
		shown[i/2] = found && member
		e.Conversation, e.LastSeq, e.ReadSeq, e.ActivityAt = r.Conversation, l.lastSeq, l.readSeq, fromMillis(l.activityAt)
		return err
	})
	if err != nil {
		return nil, err
	}
	var page []chat.InboxEntry
	for i, e := range entries {
		if shown[i] {
			page = append(page, e)
		}
	}
	return page, nil
}

// Peers lists those who share a conversation with the user, once each, at most limit, by the newest
// activity they share and among equals the smaller id first. It reads the members of as many of the newest
// conversations as it takes to find them, of the chat.PeersOf with the greatest ids.
func (s *Store) Peers(ctx context.Context, user chat.ID, limit int) ([]chat.ID, error) {
	var peers []chat.ID
	err := s.measure(ctx, "peers", func() error {
		if limit <= 0 {
			return nil
		}
		list, err := s.listed(ctx, user, newestListed)
		if err != nil {
			return err
		}
		slices.SortFunc(list, newestFirst)
		seen := map[chat.ID]bool{user: true}
		for len(list) > 0 && len(peers) < limit {
			n := min(limit-len(peers), len(list))
			for n < len(list) && list[n].activityAt == list[n-1].activityAt {
				n++ // equals are ordered among each other
			}
			if peers, err = s.addPeers(ctx, user, list[:n], peers, seen); err != nil {
				return err
			}
			list = list[n:]
		}
		peers = peers[:min(limit, len(peers))]
		return nil
	})
	return peers, err
}

// rememberedWide is how many conversations of many members are remembered. One of ten thousand is a megabyte.
const rememberedWide = 32

// dated is a conversation as it was at a moment or later.
type dated struct {
	row
	at time.Time
}

// lately reads a conversation, one of many members not again within Config.WideAge.
func (s *Store) lately(ctx context.Context, id chat.ID) (row, error) {
	if known, found := s.wide.Get(id); found && time.Since(known.at) < s.wideAge {
		return known.row, nil
	}
	at := time.Now()
	r, _, err := s.conversation(ctx, id, s.quorum)
	if err == nil && r.wide && s.wideAge > 0 {
		s.wide.Add(id, dated{r, at})
	}
	return r, err
}

// addPeers appends those who are not seen yet of conversations in their order.
func (s *Store) addPeers(ctx context.Context, user chat.ID, list []listed, peers []chat.ID, seen map[chat.ID]bool) ([]chat.ID, error) {
	members := make([][]chat.Member, len(list))
	if err := s.each(ctx, len(list), func(ctx context.Context, i int) error {
		r, err := s.lately(ctx, list[i].conversation)
		if _, member := r.Member(user); member {
			members[i] = r.Members
		}
		return err
	}); err != nil {
		return nil, err
	}
	for i := 0; i < len(list); {
		first := len(peers)
		for moment := list[i].activityAt; i < len(list) && list[i].activityAt == moment; i++ {
			for _, m := range members[i] {
				if !seen[m.UserID] {
					seen[m.UserID] = true
					peers = append(peers, m.UserID)
				}
			}
		}
		slices.SortFunc(peers[first:], func(a, b chat.ID) int { return bytes.Compare(a[:], b[:]) })
	}
	return peers, nil
}
