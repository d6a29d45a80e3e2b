package archive

import (
	"reflect"
	"time"
)

// part is one partition: what was taken of it and is in no file yet.
type part struct {
	topic *topic
	id    int32
	next  int64 // the lowest offset that may be taken

	event string       // of what waits
	kind  reflect.Type // its rows'
	day   string       // of what waits, or of what was written last; never goes back
	rows  []any
	first int64
	last  int64
	bytes int       // of the records
	since time.Time // when the first of them was taken
}

// topic is one topic that is archived.
type topic struct {
	name, id string
	event    string
	kind     reflect.Type
	read     func(value []byte, row any) error
}

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// fits tells whether a row may be in the file that is being gathered.
func (p *part) fits(event, day string) bool {
	return len(p.rows) == 0 || event == p.event && day <= p.day
}

func (p *part) add(event string, kind reflect.Type, day string, offset int64, row any, bytes int, now time.Time) {
	if len(p.rows) == 0 {
		p.event, p.kind, p.first, p.since = event, kind, offset, now
		p.day = max(p.day, day)
	}
	p.rows = append(p.rows, row)
	p.last, p.next = offset, offset+1
	p.bytes += bytes
}

func (p *part) file() file { return file{p.event, p.day, p.topic.name, p.id, p.first, p.last} }

func (p *part) empty() { p.rows, p.bytes = nil, 0 }
