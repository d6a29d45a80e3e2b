package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/schemas/cassandra"
)

// What is made from the contracts is what they say now.
func TestNothingIsStale(t *testing.T) {
	for _, target := range targets {
		was, is, err := target.made("../..")
		if err != nil {
			t.Error(err)
		} else if string(was) != string(is) {
			t.Errorf("%s is stale: run `make generate`", target.path)
		}
	}
}

// One that is stale is found, whatever it is that changed.
func TestStaleIsFound(t *testing.T) {
	root := t.TempDir()
	for _, target := range targets {
		was, _, err := target.made("../..")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, target.path)
		changed := strings.ReplaceAll(string(was), "chat.receipts", "chat.recipes")
		changed = strings.Replace(changed, "SenderID", "Sender", 1)
		changed = strings.Replace(changed, "senderId: ID;", "senderId: string;", 1)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if before, is, err := target.made(root); err != nil || string(before) == string(is) {
			t.Errorf("%s: a change is not found, %v", target.path, err)
		}
	}
}

// Every reference of asyncapi.yaml leads to something, and every topic is a channel of it.
func TestAsyncAPIIsWhole(t *testing.T) {
	var doc map[string]any
	if err := yaml.Unmarshal(schemas.AsyncAPI, &doc); err != nil {
		t.Fatal(err)
	}
	if version := fmt.Sprint(doc["asyncapi"]); !strings.HasPrefix(version, "3.") {
		t.Errorf("it is of version %s", version)
	}
	refs := 0
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, is := v["$ref"].(string); is {
				refs++
				if !leads(doc, ref) {
					t.Errorf("%s: %s leads nowhere", at, ref)
				}
			}
			for k, more := range v {
				walk(at+"/"+k, more)
			}
		case []any:
			for i, more := range v {
				walk(fmt.Sprint(at, "/", i), more)
			}
		}
	}
	walk("", doc)
	if refs < 100 {
		t.Errorf("only %d references were looked at", refs)
	}
	channels := doc["channels"].(map[string]any)
	topics, err := schemas.Topics()
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range topics {
		if channels[topic.Name] == nil {
			t.Errorf("%s is no channel", topic.Name)
		}
	}
}

func leads(doc map[string]any, ref string) bool {
	path, inside := strings.CutPrefix(ref, "#/")
	if !inside {
		_, err := os.Stat(filepath.Join("..", ref))
		return err == nil
	}
	var at any = doc
	for part := range strings.SplitSeq(path, "/") {
		m, is := at.(map[string]any)
		if !is || m[part] == nil {
			return false
		}
		at = m[part]
	}
	return true
}

// The tables of topics.yaml are those that the CQL files make, and come from topics that there are.
func TestTables(t *testing.T) {
	files, err := cassandra.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, f := range files {
		text, err := cassandra.Files.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, after := range strings.Split(string(text), "CREATE TABLE IF NOT EXISTS ")[1:] {
			made = append(made, strings.Fields(after)[0])
		}
	}
	topics, err := schemas.Topics()
	if err != nil {
		t.Fatal(err)
	}
	tables, err := schemas.Tables()
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, table := range tables {
		told = append(told, table.Name)
		for _, from := range table.From {
			i := slices.IndexFunc(topics, func(t schemas.Topic) bool { return t.Name == from })
			if i < 0 {
				t.Errorf("table %s comes from %s, which is no topic", table.Name, from)
				continue
			}
			if !slices.ContainsFunc(table.WrittenBy, func(by string) bool { return slices.Contains(topics[i].ConsumedBy, by) }) {
				t.Errorf("table %s comes from %s, which none of those consumes that write it", table.Name, from)
			}
		}
	}
	slices.Sort(made)
	slices.Sort(told)
	if !slices.Equal(made, told) {
		t.Errorf("the files make %v, topics.yaml has %v", made, told)
	}
}

// The page names every topic, every field, every event and every call.
func TestDocs(t *testing.T) {
	dir := t.TempDir()
	if err := run(".", dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := explain()
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, topic := range e.Topics {
		words = append(words, topic.Name, topic.Owner)
		for _, f := range topic.Fields {
			words = append(words, "<td>"+f.Name+"</td>")
		}
	}
	for _, event := range append(e.Emits, e.Hears...) {
		words = append(words, "<td>"+event.Name+"</td>")
	}
	for _, call := range e.HTTP {
		words = append(words, call.Method+" "+call.Path, "<td>"+call.Answers+"</td>")
		if !strings.HasPrefix(call.Answers, "2") {
			t.Errorf("%s %s answers %q", call.Method, call.Path, call.Answers)
		}
	}
	for _, takes := range []string{"limit, cursor", "the body NewConversation", "beforeSeq, afterSeq, limit", "userIds"} {
		words = append(words, "<td>"+takes+"</td>")
	}
	words = append(words, "<td>202 Erasure, 400, 401")
	for _, table := range e.Tables {
		words = append(words, table.Name)
	}
	if len(words) < 80 {
		t.Errorf("only %d words are looked for", len(words))
	}
	for _, w := range words {
		if !strings.Contains(string(text), w) {
			t.Errorf("%q is not there", w)
		}
	}
}
