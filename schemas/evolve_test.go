package schemas

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/avro"
)

// Every version of every event is compatible, both ways, with every earlier one.
func TestEveryVersionIsCompatible(t *testing.T) {
	for _, e := range Events() {
		if err := Evolution(e.Versions()); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

// A change that would break somebody, now or after two more versions, is refused; one that breaks nobody is not.
func TestIncompatibleChangeIsRefused(t *testing.T) {
	first := MessageSent.Schema()
	edit := func(text, old, with string) string {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("the schema has no %s", old)
		}
		return strings.Replace(text, old, with, 1)
	}
	added := edit(first, `"fields": [`, `"fields": [{"name": "mood", "type": "string", "default": "", "doc": "new"},`)
	for name, c := range map[string]struct {
		versions []string
		words    string // of the refusal; "": none
	}{
		"a field with a default":           {[]string{first, added}, ""},
		"that field is taken away again":   {[]string{first, added, first}, ""},
		"another doc":                      {[]string{first, edit(first, "Somebody sent", "Someone sent")}, ""},
		"a field without a default":        {[]string{first, edit(first, `"fields": [`, `"fields": [{"name": "mood", "type": "string"},`)}, "version 2 cannot read what version 1 wrote"},
		"a required field is taken away":   {[]string{first, edit(first, `{"name": "text", "type": "string",`, `{"name": "body", "default": "", "type": "string",`)}, "version 1 cannot read what version 2 wrote"},
		"a field gets another type":        {[]string{first, edit(first, `{"name": "text", "type": "string",`, `{"name": "text", "type": "long",`)}, "version 2 cannot read what version 1 wrote"},
		"a field may be null from now on":  {[]string{first, edit(first, `{"name": "text", "type": "string",`, `{"name": "text", "type": ["null", "string"],`)}, "version 1 cannot read what version 2 wrote"},
		"the record gets another name":     {[]string{first, edit(first, `"MessageSent"`, `"Sent"`)}, "version 2 cannot read what version 1 wrote"},
		"two back, with its neighbour not": {[]string{added, first, edit(first, `"fields": [`, `"fields": [{"name": "mood", "type": "long", "default": 0},`)}, "version 3 cannot read what version 1 wrote"},
		"milliseconds become microseconds": {[]string{first, edit(first, "timestamp-millis", "timestamp-micros")}, "version 2 misreads what version 1 wrote: field createdAt was timestamp-millis and is timestamp-micros"},
		"an id becomes any text":           {[]string{first, edit(first, `{"type": "string", "logicalType": "uuid"}`, `"string"`)}, "version 2 misreads what version 1 wrote: field messageId was uuid and is string"},
		"inside of a union":                {[]string{first, edit(first, `["null", {"type": "string", "logicalType": "uuid"}]`, `["null", "string"]`)}, "version 2 misreads what version 1 wrote: field clientMessageId was uuid and is string"},
		"another order in a union":         {[]string{first, edit(first, `["null", {"type": "string", "logicalType": "uuid"}], "default": null`, `[{"type": "string", "logicalType": "uuid"}, "null"], "default": ""`)}, ""},
		"no schema at all":                 {[]string{first, `{"type": "record"`}, "version 2"},
	} {
		err := Evolution(c.versions)
		if c.words == "" && err != nil || c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%s: %v; want %q", name, err, c.words)
		}
	}
}

// Each golden record, of whatever version, is read by each version's reader: what both have is the same, what the reader
// alone has is its default. A version that is only imagined, which has one field more and none of those with a default,
// is a reader and a writer like the others, so that the test means something while an event has one version.
func TestEveryVersionReadsEveryGoldenRecord(t *testing.T) {
	for _, e := range Events() {
		versions := e.Versions()
		readers := make([]*avro.Schema, len(versions))
		for i, text := range versions {
			readers[i] = avro.MustParse(text)
		}
		imagined := imagine(t, readers[len(readers)-1])
		for _, g := range goldens(t, e) {
			if g.version > len(versions) {
				t.Errorf("%s is of a version that there is no schema of", g.path)
				continue
			}
			writer := readers[g.version-1]
			whole := read(t, g.path, writer, writer, g.body)
			for i, reader := range append(readers, imagined) {
				alike(t, g.path+", as version "+strconv.Itoa(i+1)+" reads it", reader, whole, read(t, g.path, writer, reader, g.body))
			}
			// And the other way round: what the imagined version writes of the same content.
			latest := read(t, g.path, writer, imagined, g.body)
			body, err := imagined.Encode(latest)
			if err != nil {
				t.Fatalf("%s: %v", g.path, err)
			}
			for i, reader := range readers {
				alike(t, g.path+" of a later version, as version "+strconv.Itoa(i+1)+" reads it", reader, latest, read(t, g.path, imagined, reader, body))
			}
		}
	}
}

// imagine is a version after the latest.
func imagine(t *testing.T, latest *avro.Schema) *avro.Schema {
	t.Helper()
	root := latest.Root()
	var fields []avro.SchemaField
	for _, f := range root.Fields {
		if !f.HasDefault {
			fields = append(fields, f)
		}
	}
	fields = append(fields, avro.SchemaField{Name: "imagined", Type: avro.SchemaNode{Type: "string"}, Default: "as ever", HasDefault: true})
	root.Fields = fields
	imagined, err := root.Schema()
	if err != nil {
		t.Fatal(err)
	}
	return imagined
}

type goldenRecord struct {
	path    string
	version int
	body    []byte // without the framing
}

func goldens(t *testing.T, e Event) (all []goldenRecord) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", e.Name, "v*.hex"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no golden records: %v", e.Name, err)
	}
	of := map[int]bool{}
	for _, path := range files {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), "v"), "-")
		version, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		value, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil || len(value) < headerSize {
			t.Fatalf("%s: %d bytes, %v", path, len(value), err)
		}
		all = append(all, goldenRecord{path, version, value[headerSize:]})
		of[version] = true
	}
	for v := range e.Versions() {
		if !of[v+1] {
			t.Errorf("version %d of %s has no golden record", v+1, e.Name)
		}
	}
	return all
}

func read(t *testing.T, path string, writer, reader *avro.Schema, body []byte) map[string]any {
	t.Helper()
	resolved, err := avro.Resolve(writer, reader)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var got map[string]any
	if rest, err := resolved.Decode(body, &got); err != nil || len(rest) > 0 {
		t.Fatalf("%s: %v, %d bytes follow", path, err, len(rest))
	}
	return got
}

func alike(t *testing.T, what string, reader *avro.Schema, written, got map[string]any) {
	t.Helper()
	for _, f := range reader.Root().Fields {
		want, both := written[f.Name]
		value, there := got[f.Name]
		switch {
		case !there:
			t.Errorf("%s: %s is missing", what, f.Name)
		case both && !reflect.DeepEqual(value, want):
			t.Errorf("%s: %s is %v; want %v", what, f.Name, value, want)
		case !both && !f.HasDefault:
			t.Errorf("%s: %s came from nowhere", what, f.Name)
		}
	}
	if len(got) != len(reader.Root().Fields) {
		t.Errorf("%s: %d fields; the reader has %d", what, len(got), len(reader.Root().Fields))
	}
}
