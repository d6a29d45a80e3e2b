package main

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/twmb/avro"
	"go.yaml.in/yaml/v4"

	"github.com/dozaar/dozaar/schemas"
)

//go:embed docs.html.tmpl
var page string

// explained is what the page tells.
type explained struct {
	Topics []explainedTopic
	Tables []schemas.Table
	Emits  []explainedEvent
	Hears  []explainedEvent
	HTTP   []explainedCall
	Types  string
}

type explainedTopic struct {
	schemas.Topic
	Kept    string
	Subject string
	Type    string
	Doc     string
	Fields  []explainedField
}

type explainedField struct{ Name, Type, Default, Doc string }

type explainedEvent struct{ Name, Summary, Payload, Acknowledged string }

type explainedCall struct{ Method, Path, Summary, Description, Takes, Answers string }

// writeDocs writes one page, index.html, that needs nothing else.
func writeDocs(dir string) error {
	e, err := explain()
	if err != nil {
		return err
	}
	t, err := template.New("page").Funcs(template.FuncMap{"join": func(list []string) string { return strings.Join(list, ", ") }}).Parse(page)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // for everybody to read
		return err
	}
	out, err := os.Create(filepath.Join(dir, "index.html")) //nolint:gosec // the caller's folder
	if err != nil {
		return err
	}
	if err := t.Execute(out, e); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

func explain() (e explained, err error) {
	topics, err := schemas.Topics()
	if err != nil {
		return e, err
	}
	if e.Tables, err = schemas.Tables(); err != nil {
		return e, err
	}
	for _, t := range topics {
		x := explainedTopic{Topic: t, Kept: t.Cleanup + ", " + hours(t)}
		if t.Event != "" {
			if err := x.explain(); err != nil {
				return e, err
			}
		}
		e.Topics = append(e.Topics, x)
	}
	var doc document
	if err := yaml.Unmarshal(schemas.AsyncAPI, &doc); err != nil {
		return e, err
	}
	e.Emits, e.Hears = explainEvents(doc, "clientEmits"), explainEvents(doc, "clientHears")
	if e.HTTP, err = explainHTTP(); err != nil {
		return e, err
	}
	types, err := typeScript(nil)
	e.Types = string(types)
	return e, err
}

func (x *explainedTopic) explain() error {
	event, err := eventOf(x.Topic)
	if err != nil {
		return err
	}
	schema, err := avro.Parse(event.Schema())
	if err != nil {
		return err
	}
	root := schema.Root()
	x.Subject, x.Type, x.Doc = event.Subject(), event.Type, root.Doc
	x.addFields("", root.Fields)
	return nil
}

func (x *explainedTopic) addFields(prefix string, fields []avro.SchemaField) {
	for _, f := range fields {
		field := explainedField{Name: prefix + f.Name, Type: avroType(f.Type), Doc: f.Doc}
		if f.HasDefault {
			value, _ := json.Marshal(f.Default)
			field.Default = string(value)
		}
		x.Fields = append(x.Fields, field)
		if f.Type.Items != nil && f.Type.Items.Type == "record" {
			x.addFields(prefix+f.Name+"[].", f.Type.Items.Fields)
		}
	}
}

func avroType(n avro.SchemaNode) string {
	switch {
	case n.Type == "array":
		return "list of " + avroType(*n.Items)
	case n.Type == "union":
		var kinds []string
		for _, b := range n.Branches {
			kinds = append(kinds, avroType(b))
		}
		return strings.Join(kinds, " or ")
	case n.LogicalType != "":
		return n.Type + " (" + n.LogicalType + ")"
	case n.Type == "record":
		return n.Name
	}
	return n.Type
}

func explainEvents(doc document, operation string) (all []explainedEvent) {
	for _, m := range doc.Operations[operation].Messages {
		name := m.Ref[strings.LastIndex(m.Ref, "/")+1:]
		message := doc.Components.Messages[name]
		x := explainedEvent{Name: name, Summary: message.Summary}
		x.Payload, _ = typeOf(message.Payload, "")
		if message.Acknowledged != nil {
			x.Acknowledged, _ = typeOf(*message.Acknowledged, "")
		}
		all = append(all, x)
	}
	return all
}

// call is an operation of openapi.yaml.
type call struct {
	Summary     string          `yaml:"summary"`
	Description string          `yaml:"description"`
	Parameters  []parameter     `yaml:"parameters"`
	RequestBody body            `yaml:"requestBody"`
	Responses   map[string]body `yaml:"responses"`
}

type parameter struct {
	Ref  string `yaml:"$ref"`
	Name string `yaml:"name"`
}

type body struct {
	Content map[string]struct {
		Schema node `yaml:"schema"`
	} `yaml:"content"`
}

func explainHTTP() (all []explainedCall, err error) {
	var doc struct {
		Paths      map[string]map[string]yaml.Node `yaml:"paths"`
		Components struct {
			Parameters map[string]parameter `yaml:"parameters"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(schemas.OpenAPI, &doc); err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range []string{"get", "post", "put", "delete"} {
			text, there := doc.Paths[path][method]
			if !there {
				continue
			}
			var c call
			if err := text.Decode(&c); err != nil {
				return nil, err
			}
			x := explainedCall{Method: strings.ToUpper(method), Path: path, Summary: c.Summary, Description: c.Description, Answers: c.answers()}
			var takes []string
			for _, p := range c.Parameters {
				if p.Ref != "" {
					p = doc.Components.Parameters[p.Ref[strings.LastIndex(p.Ref, "/")+1:]]
				}
				takes = append(takes, p.Name)
			}
			if kind := c.RequestBody.kind(); kind != "" {
				takes = append(takes, "the body "+kind)
			}
			x.Takes = strings.Join(takes, ", ")
			all = append(all, x)
		}
	}
	return all, nil
}

// answers are the statuses, each with its body where it has one of its own.
func (c call) answers() string {
	var all []string
	for _, status := range slices.Sorted(maps.Keys(c.Responses)) {
		all = append(all, strings.TrimSpace(status+" "+c.Responses[status].kind()))
	}
	return strings.Join(all, ", ")
}

func (b body) kind() string {
	for _, c := range b.Content {
		kind, _ := typeOf(c.Schema, "")
		return kind
	}
	return ""
}
