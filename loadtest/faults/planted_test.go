package main

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/loadtest/history"
)

const root = "../.." // of the repository

// TestPlants: every plant fits the sources as they are, and compiles.
func TestPlants(t *testing.T) {
	for _, p := range plants() {
		t.Run(p.name, func(t *testing.T) {
			if p.what == "" || len(p.found) == 0 {
				t.Error("it is not complete")
			}
			if drawn, err := draw(p.kind, 1); err != nil || len(drawn) != 1 || drawn[0].set != single {
				t.Errorf("the kind %s: %v", p.kind, err)
			}
			overlay, err := p.overlay(root, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			args := []string{"build", "-overlay", overlay}
			for _, e := range p.edits {
				args = append(args, "./"+path.Dir(e.file))
			}
			cmd := exec.Command("go", args...)
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// TestPlantThatDoesNotFit: an edit whose text is not there, or is there twice, is an error that names it.
func TestPlantThatDoesNotFit(t *testing.T) {
	fits := edit{"loadtest/faults/planted_test.go", "package main\n", "package other\n"}
	for _, was := range []string{"nothing of the " + "kind", "\n"} {
		p := plant{name: "bad", edits: []edit{fits, {file: fits.file, was: was}}}
		if _, err := p.overlay(root, t.TempDir()); err == nil || !strings.Contains(err.Error(), "plant bad: its edit 2 does not fit") {
			t.Errorf("%q: %v", was, err)
		}
	}
}

// TestCaught: as each fault that was planted, whatever else was found.
func TestCaught(t *testing.T) {
	p := plant{found: []history.Fault{history.Lost, history.Gap}}
	for _, c := range []struct {
		findings map[history.Fault]int
		want     bool
	}{
		{map[history.Fault]int{history.Lost: 1, history.Gap: 2, history.Foreign: 3}, true},
		{map[history.Fault]int{history.Lost: 1, history.Foreign: 3}, false},
		{nil, false},
	} {
		if got := p.caught(row{Findings: c.findings}); got != c.want {
			t.Errorf("%v: %v", c.findings, got)
		}
	}
}

// TestDrawPlants: all, or by name.
func TestDrawPlants(t *testing.T) {
	every, err := drawPlants("all")
	if err != nil || len(every) != len(plants()) {
		t.Fatal(len(every), err)
	}
	var seen []string
	for _, p := range every {
		if slices.Contains(seen, p.name) {
			t.Errorf("there are two plants %s", p.name)
		}
		seen = append(seen, p.name)
		if drawn, err := drawPlants(p.name); err != nil || len(drawn) != 1 || drawn[0].name != p.name {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	if _, err := drawPlants("weeds"); err == nil {
		t.Error("a plant that there is not is taken")
	}
}
