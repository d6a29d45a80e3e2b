package schemas

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v4"
)

// Topic is one entry of topics.yaml.
type Topic struct {
	Name              string        `yaml:"name"`
	Event             string        `yaml:"event"` // "" for chat.deadletter
	Description       string        `yaml:"description"`
	Key               string        `yaml:"key"`
	Partitions        int32         `yaml:"partitions"`
	Replication       int16         `yaml:"replication"`
	MinInsyncReplicas int           `yaml:"min_insync_replicas"`
	Cleanup           string        `yaml:"cleanup"`
	Retention         time.Duration `yaml:"retention"`
	Segment           time.Duration `yaml:"segment"` // after which a new segment of the log is begun
	MaxMessageBytes   int32         `yaml:"max_message_bytes"`
	Ordering          string        `yaml:"ordering"`
	Delivery          string        `yaml:"delivery"`
	Owner             string        `yaml:"owner"`
	ProducedBy        []string      `yaml:"produced_by"`
	ConsumedBy        []string      `yaml:"consumed_by"`
	PersonalData      []string      `yaml:"personal_data"`
}

// GoneAfter is how long a record may be there at most. Brokers delete whole segments, once their newest record is past the
// retention; the oldest one of a segment is older by as much as that was written to. They look every few minutes.
func (t Topic) GoneAfter() time.Duration { return t.Retention + t.Segment + time.Hour }

// Table is a table of the history, as topics.yaml has it.
type Table struct {
	Name      string   `yaml:"name"`
	Holds     string   `yaml:"holds"`
	WrittenBy []string `yaml:"written_by"` // roles, and the commands topics and migrate
	ReadBy    []string `yaml:"read_by"`
	From      []string `yaml:"from"` // topics
}

// Topics reads the topics of topics.yaml.
func Topics() ([]Topic, error) {
	topics, _, err := lineage()
	return topics, err
}

// Tables reads the tables of topics.yaml.
func Tables() ([]Table, error) {
	_, tables, err := lineage()
	return tables, err
}

func lineage() ([]Topic, []Table, error) {
	text, err := files.ReadFile("topics.yaml")
	if err != nil {
		return nil, nil, err
	}
	var doc struct {
		Topics []Topic `yaml:"topics"`
		Tables []Table `yaml:"tables"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, nil, fmt.Errorf("topics.yaml: %w", err)
	}
	return doc.Topics, doc.Tables, nil
}
