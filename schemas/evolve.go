package schemas

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/twmb/avro"
)

// Evolution tells whether versions of a schema, the oldest first, are compatible as FULL_TRANSITIVE wants it: whoever
// knows any of them reads what was written under any other. The error names the two versions and the field.
func Evolution(versions []string) error {
	parsed := make([]*avro.Schema, len(versions))
	for i, text := range versions {
		var err error
		if parsed[i], err = avro.Parse(text); err != nil {
			return fmt.Errorf("version %d: %w", i+1, err)
		}
		for j := range i {
			if err := avro.CheckCompatibility(parsed[j], parsed[i]); err != nil {
				return fmt.Errorf("version %d cannot read what version %d wrote: %w", i+1, j+1, err)
			}
			if err := avro.CheckCompatibility(parsed[i], parsed[j]); err != nil {
				return fmt.Errorf("version %d cannot read what version %d wrote: %w", j+1, i+1, err)
			}
			if err := sameMeaning("", *parsed[j].Root(), *parsed[i].Root()); err != nil {
				return fmt.Errorf("version %d misreads what version %d wrote: %w", i+1, j+1, err)
			}
		}
	}
	return nil
}

// sameMeaning refuses a logical type that is not what it was. Avro's rules of compatibility look at the bytes and pass over it:
// a time that was in milliseconds would be read as one in microseconds, and nobody would hear of it.
func sameMeaning(where string, before, after avro.SchemaNode) error {
	if before.LogicalType != after.LogicalType {
		return fmt.Errorf("field %s was %s and is %s", strings.TrimPrefix(where, "."), cmp.Or(before.LogicalType, before.Type), cmp.Or(after.LogicalType, after.Type))
	}
	for _, b := range before.Fields {
		for _, a := range after.Fields {
			if a.Name == b.Name {
				if err := sameMeaning(where+"."+b.Name, b.Type, a.Type); err != nil {
					return err
				}
			}
		}
	}
	for _, b := range before.Branches {
		for _, a := range after.Branches {
			if a.Type == b.Type && a.Name == b.Name {
				if err := sameMeaning(where, b, a); err != nil {
					return err
				}
			}
		}
	}
	for _, inside := range [][2]*avro.SchemaNode{{before.Items, after.Items}, {before.Values, after.Values}} {
		if inside[0] != nil && inside[1] != nil {
			if err := sameMeaning(where+"[]", *inside[0], *inside[1]); err != nil {
				return err
			}
		}
	}
	return nil
}
