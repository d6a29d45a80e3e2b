package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// topicID is the name, in a file's metadata, of the id of the topic whose offsets the file's name has.
const topicID = "dozaar.topic_id"

// write writes rows, pointers to structs of one type, as Parquet.
func write(out *os.File, kind reflect.Type, id string, rows []any) error {
	schema := parquet.SchemaOf(reflect.New(kind).Interface())
	options := []parquet.WriterOption{
		schema, parquet.Compression(&zstd.Codec{}), parquet.KeyValueMetadata(topicID, id), parquet.CreatedBy("dozaar", "", ""),
	}
	w := parquet.NewWriter(out, options...)
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			return err
		}
	}
	return w.Close()
}

// topicOf reads which topic a file is of.
func (d *folder) topicOf(f file) (id string, err error) {
	in, err := os.Open(filepath.Join(d.dir, f.path())) //nolint:gosec // a file of ours
	if err != nil {
		return "", err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return "", err
	}
	p, err := parquet.OpenFile(in, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.path(), err)
	}
	id, _ = p.Lookup(topicID)
	return id, nil
}
