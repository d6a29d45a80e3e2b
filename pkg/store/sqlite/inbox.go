package sqlite

import (
	"context"
	"database/sql"
	"math"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Inbox lists a member's conversations, newest activity first and among equals the greater id first, at
// most limit of them, from just below the cursor. Two queries a page, however long it is. The sorting is
// done over all the user's conversations: activity in an index would cost a write for each member of a
// room with each message.
func (s *Store) Inbox(ctx context.Context, user chat.ID, before chat.InboxCursor, limit int) ([]chat.InboxEntry, error) {
	beforeActivity := int64(math.MaxInt64)
	if !before.ActivityAt.IsZero() || before.ConversationID != (chat.ID{}) {
		beforeActivity = before.ActivityAt.UnixMilli()
	}
	var entries []chat.InboxEntry
	err := s.read(ctx, "inbox", func(tx *sql.Tx) error {
		at := map[chat.ID]int{}
		var ids []chat.ID
		if err := each(ctx, tx, func(rows *sql.Rows) error {
			e, err := scanInboxEntry(rows)
			at[e.Conversation.ID] = len(entries)
			ids = append(ids, e.Conversation.ID)
			entries = append(entries, e)
			return err
		}, inboxPage, user[:], beforeActivity, before.ConversationID[:], max(limit, 0)); err != nil {
			return err
		}
		return eachMember(ctx, tx, ids, func(conversation chat.ID, m chat.Member) {
			c := &entries[at[conversation]].Conversation
			c.Members = append(c.Members, m)
		})
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// activity is a user's conversations and when each was last active. The sorter holds nothing but what
// is here; the wide columns are fetched for the rows of the page alone.
const activity = `
	SELECT mine.conversation_id, coalesce(h.activity_at, c.created_at) AS activity_at, coalesce(h.seq, 0) AS last_seq
	FROM members AS mine
	JOIN conversations AS c ON c.id = mine.conversation_id
	LEFT JOIN heads AS h ON h.conversation_id = mine.conversation_id
	WHERE mine.user_id = ?1`

const inboxPage = `
	WITH activity AS (` + activity + `),
	page AS MATERIALIZED (
		SELECT * FROM activity WHERE (activity_at, conversation_id) < (?2, ?3)
		ORDER BY activity_at DESC, conversation_id DESC LIMIT ?4
	)
	SELECT page.activity_at, page.last_seq, coalesce(r.seq, 0), ` + conversationColumns + `, ` + messageColumns + `
	FROM page
	JOIN conversations AS c ON c.id = page.conversation_id
	LEFT JOIN read_marks AS r ON r.conversation_id = page.conversation_id AND r.user_id = ?1
	LEFT JOIN messages AS m ON m.conversation_id = page.conversation_id AND m.seq = page.last_seq
	ORDER BY page.activity_at DESC, page.conversation_id DESC`

func scanInboxEntry(rows *sql.Rows) (chat.InboxEntry, error) {
	var (
		e            chat.InboxEntry
		activityAt   int64
		conversation conversationRow
		last         messageRow
	)
	columns := append([]any{&activityAt, &e.LastSeq, &e.ReadSeq}, conversation.columns()...)
	if err := rows.Scan(append(columns, last.columns()...)...); err != nil {
		return e, err
	}
	e.ActivityAt = fromMillis(activityAt)
	e.Conversation = conversation.conversation()
	if last.seq.Valid {
		m, err := last.message()
		if err != nil {
			return e, err
		}
		e.LastMessage = &m
	}
	return e, nil
}

// Peers lists those who share a conversation with the user, once each, at most limit, by the newest
// activity they share and among equals the smaller id first. Of many conversations, the chat.PeersOf with the greatest
// ids are looked at.
func (s *Store) Peers(ctx context.Context, user chat.ID, limit int) ([]chat.ID, error) {
	var peers []chat.ID
	err := s.read(ctx, "peers", func(tx *sql.Tx) error {
		return each(ctx, tx, func(rows *sql.Rows) error {
			var peer chat.ID
			err := rows.Scan(&peer)
			peers = append(peers, peer)
			return err
		}, peersOf, user[:], max(limit, 0), chat.PeersOf)
	})
	return peers, err
}

const peersOf = `
	WITH activity AS (` + activity + ` ORDER BY mine.conversation_id DESC LIMIT ?3)
	SELECT other.user_id
	FROM activity JOIN members AS other ON other.conversation_id = activity.conversation_id
	WHERE other.user_id <> ?1
	GROUP BY other.user_id
	ORDER BY max(activity.activity_at) DESC, other.user_id
	LIMIT ?2`
