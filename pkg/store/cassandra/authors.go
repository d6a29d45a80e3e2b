package cassandra

import (
	"context"
	"math"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

// fillParts is into how many parts the messages' tokens are cut for filling authors. It is part of the data.
const fillParts = 1 << fillBits

const (
	fillBits = 10
	filling  = "authors"
)

const putFill = `INSERT INTO fills (name, parts) VALUES (?, ?)`

// AuthorsKnown tells whether Erase finds every message: messages of a release that did not write authors have to be looked
// for once, by FillAuthors.
func (s *Store) AuthorsKnown(ctx context.Context) (known bool, err error) {
	err = s.measure(ctx, "authors_known", func() error {
		parts, err := s.filled(ctx)
		known = parts == fillParts
		return err
	})
	return known, err
}

func (s *Store) filled(ctx context.Context) (parts int, err error) {
	_, err = one(s.request(ctx, `SELECT parts FROM fills WHERE name = ?`, filling), &parts)
	return parts, err
}

// FillAuthors writes the rows of authors that a release without that table has not written. It reads every message's sender,
// part by part, tells after each which share of them is read, and, ended in between, goes on where it was; after a whole
// one it begins anew. A row that is there is written once more, so it may run while messages are stored, more than once too.
func (s *Store) FillAuthors(ctx context.Context, told func(share float64)) error {
	return s.measure(ctx, "fill_authors", func() error {
		done, err := s.filled(ctx)
		if err != nil {
			return err
		}
		for part := done % fillParts; part < fillParts; part++ {
			if err := s.fillPart(ctx, part); err != nil {
				return err
			}
			if err := s.request(ctx, putFill, filling, part+1).Exec(); err != nil {
				return err
			}
			told(float64(part+1) / fillParts)
		}
		return nil
	})
}

// fillTokens are the bounds of a part, without the first.
func fillTokens(part int) (from, to int64) {
	at := func(part int) int64 { return math.MinInt64 + int64(part)<<(64-fillBits) }
	if part == fillParts-1 {
		return at(part), math.MaxInt64
	}
	return at(part), at(part + 1)
}

// fillPart holds a thousand rows of authors at most.
func (s *Store) fillPart(ctx context.Context, part int) error {
	from, to := fillTokens(part)
	found := map[author]bool{}
	flush := func() error {
		writes := make([]write, 0, len(found))
		for a := range found {
			writes = append(writes, authorWrite(a))
		}
		clear(found)
		return s.apply(ctx, writes)
	}
	err := rows(s.request(ctx, `SELECT conversation_id, bucket, sender_id FROM messages
		WHERE token(conversation_id, bucket) > ? AND token(conversation_id, bucket) <= ?`, from, to).PageSize(1000), func(row gocql.Scanner) (bool, error) {
		var conversation, sender gocql.UUID
		var a author
		if err := row.Scan(&conversation, &a.bucket, &sender); err != nil {
			return false, err
		}
		a.conversation, a.user = chat.ID(conversation), chat.ID(sender)
		if found[a] = true; len(found) < 1000 {
			return false, nil
		}
		return false, flush()
	})
	if err != nil {
		return err
	}
	return flush()
}
