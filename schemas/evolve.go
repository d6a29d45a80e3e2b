package schemas

import (
	"fmt"

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
		}
	}
	return nil
}
