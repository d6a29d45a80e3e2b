package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/dozaar/dozaar/"

// layers are the packages from the vocabulary upwards. A package imports packages of lower layers
// only: an arrow that points back or sideways is a fault. An entry that ends in / is a tree.
var layers = [][]string{
	{"pkg/filelock", "pkg/metric", "pkg/tracing", "pkg/socketio", "loadtest/bench", "loadtest/chart", "loadtest/wire", "loadtest/history", "loadtest/scenarios"}, // what knows nothing of chat, or of the product
	{"pkg/chat", "pkg/redis"},                          // the vocabulary, and a client that knows nothing of it
	{"schemas", "schemas/cassandra", "pkg/strictjson"}, // the contracts
	{ // adapters
		"schemas/registry", "pkg/auth", "pkg/embedded", "pkg/kafka", "pkg/observe", "pkg/presence",
		"pkg/redis/redistest", "pkg/relay", "pkg/store", "pkg/store/storetest", "pkg/web",
	},
	{"pkg/store/cassandra", "pkg/store/sqlite"}, // the stores
	{"pkg/gateway", "pkg/api", "streams/"},      // roles
	{"loadtest/client", "loadtest/converse"},
	{"loadtest/load", "loadtest/standin", "loadtest/stack", "deploy/grafana"},
	{"loadtest/report"},
	// loadtest/sockets measures pkg/socketio; the rest of loadtest knows the product as a client, from outside.
	// loadtest/pipeline imports nothing of it, but the engines' client libraries, whose cost is its floor; loadtest/cold
	// fills the store and the topic itself, loadtest/presence measures leases and the announcer.
	{"cmd/", "schemas/generate", "loadtest", "loadtest/faults", "loadtest/sockets", "loadtest/pipeline", "loadtest/compare", "loadtest/cold", "loadtest/presence", "loadtest/drain", "loadtest/scaling", "deploy/"},
}

func layerOf(pkg string) int {
	for i, layer := range layers {
		for _, member := range layer {
			if pkg == member || strings.HasSuffix(member, "/") && strings.HasPrefix(pkg, member) {
				return i
			}
		}
	}
	return -1
}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; packages++ {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(p.ImportPath, module)
		if layerOf(from) < 0 {
			t.Errorf("%s is in no layer: say where it belongs", from)
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if ours && layerOf(to) >= layerOf(from) {
				t.Errorf("%s imports %s, which is not below it", from, to)
			}
		}
	}
	if packages < 15 {
		t.Errorf("only %d packages were looked at", packages)
	}
}

// TestLoadtestKnowsTheProductAsAClient: loadtest imports itself only. One program of it measures pkg/socketio, one
// leases and the announcer, and one fills the store and the topic by the product's own packages.
func TestLoadtestKnowsTheProductAsAClient(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, module+"loadtest/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		from, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		inside := []string{module + "loadtest/sockets", module + "loadtest/presence", module + "loadtest/cold"}
		if !strings.HasPrefix(from, module+"loadtest") || slices.Contains(inside, from) {
			continue
		}
		for _, imported := range strings.Fields(imports) {
			if strings.HasPrefix(imported, module) && !strings.HasPrefix(imported, module+"loadtest/") {
				t.Errorf("%s imports %s", from, imported)
			}
		}
	}
}

func TestVocabularyImportsAlmostOnlyTheStandardLibrary(t *testing.T) {
	vocabulary := []string{"github.com/google/uuid", "github.com/rivo/uniseg"} // what an id is, and what a character is
	for _, pkg := range []string{"pkg/chat", "pkg/socketio"} {
		out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, module+pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range strings.Fields(string(out)) {
			thirdParty := strings.Contains(strings.Split(imported, "/")[0], ".")
			if pkg == "pkg/chat" && thirdParty && !slices.Contains(vocabulary, imported) {
				t.Errorf("%s imports %s", pkg, imported)
			}
			if strings.HasPrefix(imported, module) {
				t.Errorf("%s imports %s", pkg, imported)
			}
		}
	}
}
