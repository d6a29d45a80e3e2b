package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dozaar/dozaar/schemas"
)

const (
	beginLineage = "<!-- begin generated lineage, from schemas/topics.yaml -->"
	endLineage   = "<!-- end generated lineage -->"
)

// lineage draws every topic, producer, consumer and table.
func lineage(text []byte) ([]byte, error) {
	topics, err := schemas.Topics()
	if err != nil {
		return nil, err
	}
	tables, err := schemas.Tables()
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart LR\n")
	var readers []string
	for _, t := range topics {
		fmt.Fprintf(&b, "    %s[(%s)]\n", box(t.Name), t.Name)
		readers = append(readers, t.ConsumedBy...)
	}
	for _, t := range tables {
		fmt.Fprintf(&b, "    table_%s[[%s]]\n", box(t.Name), t.Name)
	}
	for _, t := range topics {
		for _, by := range t.ProducedBy {
			fmt.Fprintf(&b, "    %s[%s] --> %s\n", box(by), by, box(t.Name))
		}
		for _, by := range t.ConsumedBy {
			fmt.Fprintf(&b, "    %s --> to_%s[%s]\n", box(t.Name), box(by), by)
		}
	}
	for _, t := range tables {
		for _, by := range t.WrittenBy {
			from := box(by)
			if slices.Contains(readers, by) && len(t.From) > 0 {
				from = "to_" + from
			}
			fmt.Fprintf(&b, "    %s[%s] --> table_%s\n", from, by, box(t.Name))
		}
	}
	if slices.Contains(readers, "archive") {
		b.WriteString("    to_archive[archive] --> files[[Parquet files]]\n")
	}
	b.WriteString("```\n\n| topic | key | kept | produced by | consumed by |\n|---|---|---|---|---|\n")
	for _, t := range topics {
		fmt.Fprintf(&b, "| `%s` | %s | %s, %s | %s | %s |\n", t.Name, t.Key, t.Cleanup, hours(t), strings.Join(t.ProducedBy, ", "), strings.Join(t.ConsumedBy, ", "))
	}
	b.WriteString("\n| table | holds | comes from | written by | read by |\n|---|---|---|---|---|\n")
	for _, t := range tables {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", t.Name, t.Holds, strings.Join(t.From, ", "), strings.Join(t.WrittenBy, ", "), strings.Join(t.ReadBy, ", "))
	}
	return between(text, beginLineage, endLineage, b.String())
}

func hours(t schemas.Topic) string {
	h := int(t.Retention.Hours())
	if h%24 == 0 {
		return fmt.Sprintf("%d days", h/24)
	}
	return fmt.Sprintf("%d hours", h)
}

func box(name string) string { return strings.NewReplacer(".", "_", "-", "_").Replace(name) }
