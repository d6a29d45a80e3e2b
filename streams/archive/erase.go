package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
)

// erasures are those that chat.erasures has asked for. What is written from then on has nothing of what they name, and
// the files that had it are written anew. They are read from the archive itself: it holds that topic too.
type erasures struct {
	before map[chat.ID]time.Time // by user: what they sent before is erased
}

// erasedRow is what erasing has to know of a row of user_erased.
type erasedRow struct {
	User        chat.ID    `parquet:"userId,uuid"`
	RequestedAt time.Time  `parquet:"requestedAt,timestamp(millisecond)"`
	Change      string     `parquet:"change"`
	Room        chat.ID    `parquet:"conversationId,optional,uuid"`
	First       *time.Time `parquet:"firstSentAt,optional,timestamp(millisecond)"`
	Last        *time.Time `parquet:"lastSentAt,optional,timestamp(millisecond)"`
}

// erasedRowOf takes these out of a row that has been read.
func erasedRowOf(row any) (e erasedRow) {
	value := reflect.ValueOf(row).Elem()
	for name, into := range map[string]any{
		"userId": &e.User, "requestedAt": &e.RequestedAt, "change": &e.Change, "conversationId": &e.Room, "firstSentAt": &e.First, "lastSentAt": &e.Last,
	} {
		for i := range value.NumField() {
			if value.Type().Field(i).Tag.Get("avro") == name {
				reflect.ValueOf(into).Elem().Set(value.Field(i))
			}
		}
	}
	return e
}

// add tells whether the row asks for anything: what a clock has not come to yet nobody can have asked for.
func (e *erasures) add(row erasedRow, now time.Time) bool {
	if row.RequestedAt.After(now.Add(chat.MaxErasureAhead)) {
		return false
	}
	if e.before[row.User].Before(row.RequestedAt) {
		e.before[row.User] = row.RequestedAt
	}
	return true
}

// erased is what a message has that goes, and by which it is told; the same in message_stored and message_sent.
type erased struct {
	sender, created, name, text, attachments int // indexes of a row's fields
}

// whatIsErased finds these columns; ok tells whether a topic's rows have them.
func whatIsErased(kind reflect.Type) (e erased, ok bool) {
	at := map[string]int{}
	for i := range kind.NumField() {
		at[kind.Field(i).Tag.Get("avro")] = i
	}
	for name, index := range map[string]*int{"senderId": &e.sender, "createdAt": &e.created, "senderUsername": &e.name, "text": &e.text, "attachmentUrls": &e.attachments} {
		var found bool
		if *index, found = at[name]; !found {
			return e, false
		}
	}
	return e, true
}

// from erases what a row has to lose, and tells whether there was any.
func (e *erasures) from(row any) bool {
	value := reflect.ValueOf(row).Elem()
	columns, has := whatIsErased(value.Type())
	if !has || len(e.before) == 0 {
		return false
	}
	before := e.before[value.Field(columns.sender).Interface().(chat.ID)]
	if !value.Field(columns.created).Interface().(time.Time).Before(before) {
		return false
	}
	gone := !value.Field(columns.text).IsZero() || value.Field(columns.attachments).Len() > 0 || !value.Field(columns.name).IsZero()
	for _, i := range []int{columns.text, columns.attachments, columns.name} {
		value.Field(i).SetZero()
	}
	return gone
}

// learn reads the erasures that are archived.
func (a *archive) learn(files []file) error {
	a.erasures.before = map[chat.ID]time.Time{}
	for _, f := range files {
		if f.topic != schemas.TopicErasures || f.event != schemas.UserErased.Name {
			continue
		}
		rows, err := parquet.ReadFile[erasedRow](filepath.Join(a.Dir, f.path()))
		if err != nil {
			return fmt.Errorf("%s: %w", f.path(), err)
		}
		for _, row := range rows {
			a.erasures.add(row, a.Clock())
		}
	}
	return nil
}

// lateness is by how much later than it was sent a message may be in the log: what was buried for a month may be put back.
const lateness = 32 * 24 * time.Hour

// erase does what a record of chat.erasures asks for: rows that wait lose what is erased, and so do files that may have
// any of it. Those are of the conversation's partition and of the days since the first of the messages: it costs what
// the person wrote. Only then does the record itself get into a file, so that a crash in between repeats all.
func (a *archive) erase(row erasedRow) error {
	if !a.erasures.add(row, a.Clock()) {
		a.Logger.Warn("an erasure that is asked for at a time which is still to come is not done", "user", row.User, "requested_at", row.RequestedAt)
		return nil
	}
	for _, p := range a.parts {
		for _, waiting := range p.rows {
			a.erasures.from(waiting)
		}
	}
	if chat.ErasureChange(row.Change) != chat.ErasureMessages || row.First == nil || row.Last == nil {
		return nil
	}
	files, err := a.messagesOf(row.Room, dayOf(row.First.Add(-time.Hour)), dayOf(row.Last.Add(lateness)))
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := a.rewrite(f); err != nil {
			return fmt.Errorf("erase in %s: %w", f.path(), err)
		}
	}
	return nil
}

// messagesOf are the files that may have a conversation's messages of some days.
func (a *archive) messagesOf(conversation chat.ID, from, to string) (all []file, err error) {
	for name, t := range a.topics {
		if _, has := whatIsErased(t.kind); !has {
			continue
		}
		partition := a.partitionOf(name, []byte(conversation.String()))
		pattern := fmt.Sprintf("%s-%d-*.parquet", name, partition)
		found, err := filepath.Glob(filepath.Join(a.Dir, "event="+t.event, "day=*", pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			relative, err := filepath.Rel(a.Dir, path)
			if err != nil {
				return nil, err
			}
			if f, ok := parse(relative); ok && f.day >= from && f.day <= to {
				all = append(all, f)
			}
		}
	}
	return all, nil
}

// rewrite writes a file anew, in its place, if it has anything to lose.
func (a *archive) rewrite(f file) error {
	t := a.topics[f.topic]
	in, err := os.Open(filepath.Join(a.Dir, f.path())) //nolint:gosec // a file of ours
	if err != nil {
		return err
	}
	defer in.Close()
	reader := parquet.NewReader(in, parquet.SchemaOf(reflect.New(t.kind).Interface()))
	defer reader.Close()
	rows := make([]any, 0, reader.NumRows())
	lost := 0
	for range reader.NumRows() {
		row := reflect.New(t.kind).Interface()
		if err := reader.Read(row); err != nil {
			return err
		}
		if a.erasures.from(row) {
			lost++
		}
		rows = append(rows, row)
	}
	if lost == 0 {
		return nil
	}
	id, err := a.folder.topicOf(f)
	if err != nil {
		return err
	}
	if err := a.folder.put(f, func(out *os.File) error { return write(out, t.kind, id, rows) }); err != nil {
		return err
	}
	a.metrics.erased.WithLabelValues(f.topic).Add(float64(lost))
	a.Logger.Info("erased in the archive", "file", f.path(), "messages", lost)
	return nil
}
