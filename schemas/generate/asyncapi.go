package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dozaar/dozaar/schemas"
)

// asyncTopics writes channels, operations and messages of the topics.
func asyncTopics(text []byte) ([]byte, error) {
	topics, err := schemas.Topics()
	if err != nil {
		return nil, err
	}
	var channels, operations, messages strings.Builder
	for _, t := range topics {
		name := cmp.Or(t.Event, "dead_letter")
		fmt.Fprintf(&channels, `  %s:
    address: %s
    description: %s
    servers: [{$ref: "#/servers/kafka"}]
    messages:
      %s: {$ref: "#/components/messages/%s"}
    bindings:
      kafka: {topic: %s, partitions: %d, replicas: %d, topicConfiguration: {cleanup.policy: [%s], retention.ms: %d, max.message.bytes: %d}}
    x-ordering: %s
    x-delivery: %s
    x-owner: %s
    x-personal-data: [%s]
`, t.Name, t.Name, quoted(t.Description), name, name, t.Name, t.Partitions, t.Replication, strings.Join(strings.Split(t.Cleanup, ","), ", "),
			t.Retention.Milliseconds(), t.MaxMessageBytes, quoted(t.Ordering), quoted(t.Delivery), t.Owner, strings.Join(t.PersonalData, ", "))
		fmt.Fprintf(&operations, "  publish_%s:\n    action: send\n    channel: {$ref: %q}\n    summary: %s\n", name, "#/channels/"+t.Name, quoted("By "+strings.Join(t.ProducedBy, ", ")+"."))
		for _, by := range t.ConsumedBy {
			fmt.Fprintf(&operations, "  %s_%s:\n    action: receive\n    channel: {$ref: %q}\n", by, name, "#/channels/"+t.Name)
		}
		if t.Event == "" {
			fmt.Fprintf(&messages, deadLetter, quoted(t.Key))
			continue
		}
		event, err := eventOf(t)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&messages, `    %s:
      title: %s
      contentType: application/avro
      headers:
        type: object
        required: [ce_id, ce_type, ce_source, ce_time, ce_specversion, content-type]
        properties:
          ce_id: {type: string}
          ce_type: {type: string, const: %s}
          ce_source: {type: string}
          ce_time: {type: string, format: date-time}
          ce_specversion: {type: string, const: "1.0"}
          content-type: {type: string, const: application/avro}
          traceparent: {type: string}
      bindings:
        kafka: {key: {type: string, description: %s}, schemaIdLocation: payload, schemaIdPayloadEncoding: confluent}
      payload:
        schemaFormat: application/vnd.apache.avro;version=1.9.0
        schema: {$ref: %q}
`, t.Event, t.Event, event.Type, quoted(t.Key), fmt.Sprintf("./avro/%s/v%d.avsc", t.Event, len(event.Versions())))
	}
	for _, part := range []struct{ begin, end, with string }{
		{"  # begin generated channels", "  # end generated", channels.String()},
		{"  # begin generated operations", "  # end generated", operations.String()},
		{"    # begin generated messages", "    # end generated", messages.String()},
	} {
		if text, err = between(text, part.begin, part.end, part.with); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// deadLetter is the message of the topic that has no event: whatever could not be read, as it was. Its headers are pkg/kafka's.
const deadLetter = `    dead_letter:
      title: dead_letter
      contentType: application/octet-stream
      headers:
        type: object
        description: The record's own, and where it was and why it is here.
        required: [dlq_topic, dlq_partition, dlq_offset, dlq_epoch, dlq_reason, dlq_produced_at]
        properties:
          dlq_topic: {type: string}
          dlq_partition: {type: string}
          dlq_offset: {type: string}
          dlq_epoch: {type: string, description: "The topic's log epoch."}
          dlq_reason: {type: string, maxLength: 1024}
          dlq_produced_at: {type: string, format: date-time, description: "The record's own time."}
          dlq_left_out: {type: string, description: "Only where the record was too large to be kept: how many bytes it has. There is no payload then."}
      bindings:
        kafka: {key: {type: string, description: %s}}
      payload: {description: The record's value as it was.}
`

func quoted(text string) string { return fmt.Sprintf("%q", text) }

func eventOf(t schemas.Topic) (schemas.Event, error) {
	for _, e := range schemas.Events() {
		if e.Name == t.Event {
			return e, nil
		}
	}
	return schemas.Event{}, fmt.Errorf("topic %s: there is no event %s", t.Name, t.Event)
}
