// Command generate makes what follows from the contracts in schemas/, and is run by `make generate`:
//
//	schemas/asyncapi.yaml            the parts about topics, from topics.yaml and avro/
//	schemas/structs.gen.go           Go structs of the Avro schemas, as package schemas uses them
//	pkg/web/src/client/wire.gen.ts   TypeScript types of the socket events and of the HTTP API
//	streams/README.md                the lineage, from topics.yaml
//
// Its test fails where one of them is stale. With -docs it writes a page that explains all contracts into that folder.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// target is a file that is made, from what it was.
type target struct {
	path string
	make func(was []byte) ([]byte, error)
}

var targets = []target{
	{"schemas/asyncapi.yaml", asyncTopics},
	{"schemas/structs.gen.go", goStructs},
	{"pkg/web/src/client/wire.gen.ts", typeScript},
	{"streams/README.md", lineage},
}

func main() {
	root := flag.String("root", ".", "the repository")
	docs := flag.String("docs", "", "write the documentation into this folder, and nothing else")
	flag.Parse()
	if err := run(*root, *docs); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(root, docs string) error {
	if docs != "" {
		return writeDocs(docs)
	}
	for _, t := range targets {
		path := filepath.Join(root, t.path)
		_, is, err := t.made(root)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, is, 0o644); err != nil { //nolint:gosec // a source file
			return err
		}
	}
	return nil
}

// made is what a file is and what it should be. One that is not there is empty.
func (t target) made(root string) (was, is []byte, err error) {
	was, err = os.ReadFile(filepath.Join(root, t.path)) //nolint:gosec // one of targets
	if err != nil && !os.IsNotExist(err) {
		return nil, nil, err
	}
	is, err = t.make(was)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", t.path, err)
	}
	return was, is, nil
}

// between replaces what is between two lines, which stay.
func between(text []byte, begin, end, with string) ([]byte, error) {
	i := bytes.Index(text, []byte(begin+"\n"))
	if i < 0 {
		return nil, fmt.Errorf("there is no line %q", begin)
	}
	i += len(begin) + 1
	j := bytes.Index(text[i:], []byte(end+"\n"))
	if j < 0 {
		return nil, fmt.Errorf("nothing ends what %q begins", begin)
	}
	return bytes.Join([][]byte{text[:i], []byte(with), text[i+j:]}, nil), nil
}
