package main

import (
	"slices"
	"strings"

	"github.com/gocql/gocql"
)

// posted is the values of a message's rows.
type posted struct {
	conversation gocql.UUID
	members      [1 + recipients]gocql.UUID // the sender first
	id           gocql.UUID
	seq, offset  int64
	text         string
	now          int64
}

// row is one kind of row that a message is stored by, written exactly as pkg/store/cassandra writes it: a test
// compares the statements with the store's source.
type row struct {
	name      string
	each      int // how many of them a message needs
	why       string
	statement string
	args      func(posted) [][]any // of each row
}

func storedRows() []row {
	return []row{
		{
			name: "message row", each: 1, why: "the message itself, in its conversation's bucket",
			statement: `INSERT INTO messages (conversation_id, bucket, seq, log_epoch, log_offset, id, sender_id, sender_username,
				created_at, client_message_id, attachment_urls, text)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`,
			args: func(p posted) [][]any {
				return [][]any{{
					p.conversation, (p.seq - 1) / 1000, p.seq, 0, p.offset, p.id, p.members[0], "sender", p.now, gocql.UUID{}, []string{}, p.text, p.offset << 1,
				}}
			},
		},
		{
			name: "by-id row", each: 1, why: "finds a retry of the same message, and the message that a read mark names",
			statement: `INSERT INTO message_ids (id, conversation_id, seq, log_epoch, log_offset, sender_id, created_at, body_hash)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`,
			args: func(p posted) [][]any {
				return [][]any{{p.id, p.conversation, p.seq, 0, p.offset, p.members[0], p.now, make([]byte, 32), p.offset << 1}}
			},
		},
		{
			name: "own read mark", each: 1, why: "one's own message never counts as unread",
			statement: `UPDATE inbox USING TIMESTAMP ? SET read_seq = ? WHERE user_id = ? AND conversation_id = ?`,
			args: func(p posted) [][]any {
				return [][]any{{p.seq, p.seq, p.members[0], p.conversation}}
			},
		},
		{
			name: "head", each: 1, why: "up to where all is stored: nobody reads past it, numbering goes on from it",
			statement: `INSERT INTO heads (conversation_id, seq, log_epoch, log_offset, activity_at) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`,
			args: func(p posted) [][]any {
				return [][]any{{p.conversation, p.seq, 0, p.offset, p.now, p.seq}}
			},
		},
		{
			name: "inbox row", each: 1 + recipients, why: "each member's list of conversations, without a read for each of them",
			statement: `UPDATE inbox USING TIMESTAMP ? SET last_seq = ?, activity_at = ? WHERE user_id = ? AND conversation_id = ?`,
			args: func(p posted) [][]any {
				var all [][]any
				for _, member := range p.members {
					all = append(all, []any{p.seq, p.seq, p.now, member, p.conversation})
				}
				return all
			},
		},
	}
}

// What the pipeline asks for each message: whether its id was seen before, and whose inbox rows copy the head.
const (
	readByID = `SELECT id, conversation_id, seq, log_epoch, log_offset, sender_id, created_at, body_hash
		FROM message_ids WHERE id = ?`
	readInboxes = `SELECT inboxes FROM conversations WHERE id = ?`
)

// variant is a way to store a message that was tried.
type variant struct {
	name, title string
	rows        []string // by name; nil: all
	merged      bool     // the sender's mark and inbox row, which are one row, by one statement
	ordered     bool     // rows and mark, then the head, then the inbox rows, as the rules want it
	batched     bool     // what goes beside each other in one unlogged batch of many partitions
}

func variants() []variant {
	return []variant{
		{name: "message", title: "all rows, each by itself, beside each other"},
		{name: "ordered", title: "all rows, in the order that the rules want", ordered: true},
		{name: "ordered batches", title: "in that order, those before the head in one unlogged batch, those after it in another", ordered: true, batched: true},
		{name: "merged", title: "the sender's read mark and inbox row in one statement", merged: true},
		{name: "bare", title: "without inbox rows and read mark", rows: []string{"message row", "by-id row", "head"}},
		{name: "batch", title: "all rows of a message in one unlogged batch", batched: true},
	}
}

// putBoth is what the variant merged writes for the sender.
const putBoth = `UPDATE inbox USING TIMESTAMP ? SET read_seq = ?, last_seq = ?, activity_at = ? WHERE user_id = ? AND conversation_id = ?`

// statement is one write with its values.
type statement struct {
	text string
	args []any
}

// statements are what a variant writes for a message.
func (v variant) statements(p posted) (list []statement) {
	for _, r := range storedRows() {
		if v.rows != nil && !slices.Contains(v.rows, r.name) || v.merged && r.name == "own read mark" {
			continue
		}
		for _, args := range r.args(p) {
			list = append(list, statement{r.statement, args})
		}
	}
	if v.merged { // the sender's inbox row is the first of the last kind
		list[len(list)-1-recipients] = statement{putBoth, []any{p.seq, p.seq, p.seq, p.now, p.members[0], p.conversation}}
	}
	return list
}

// steps are the statements of a message by what goes beside each other, one after the other.
func (v variant) steps(p posted) [][]statement {
	list := v.statements(p)
	if !v.ordered {
		return [][]statement{list}
	}
	head := slices.IndexFunc(list, func(s statement) bool { return strings.Contains(s.text, "INTO heads") })
	return [][]statement{list[:head], list[head : head+1], list[head+1:]}
}

func variantNamed(name string) (variant, bool) {
	for _, v := range variants() {
		if v.name == name {
			return v, true
		}
	}
	return variant{}, false
}

func rowNamed(name string) (row, bool) {
	for _, r := range storedRows() {
		if r.name == name {
			return r, true
		}
	}
	return row{}, false
}
