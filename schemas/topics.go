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
	MaxMessageBytes   int32         `yaml:"max_message_bytes"`
	Ordering          string        `yaml:"ordering"`
	Delivery          string        `yaml:"delivery"`
	Owner             string        `yaml:"owner"`
	ProducedBy        []string      `yaml:"produced_by"`
	ConsumedBy        []string      `yaml:"consumed_by"`
	PersonalData      []string      `yaml:"personal_data"`
}

// Topics reads topics.yaml.
func Topics() ([]Topic, error) {
	text, err := files.ReadFile("topics.yaml")
	if err != nil {
		return nil, err
	}
	var doc struct {
		Topics []Topic `yaml:"topics"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("topics.yaml: %w", err)
	}
	return doc.Topics, nil
}
