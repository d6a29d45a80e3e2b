package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The settings and ports that the chart names are the program's.
func TestHelmNamesRealSettings(t *testing.T) {
	known := dozaar(t, nil, "all", "--help").stdout + dozaar(t, nil, "migrate", "--help").stdout
	files, err := filepath.Glob("../../deploy/helm/dozaar/templates/*")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	more, err := filepath.Glob("../../deploy/helm/check/testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range append(append(files, more...), "../../deploy/helm/dozaar/values.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`DOZAAR_[A-Z_]*[A-Z]\b`).FindAllString(string(text), -1) {
			found++
			if name != "DOZAAR_JWT" && !strings.Contains(known, name) {
				t.Errorf("%s: %s is no setting", file, name)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d settings were found", found)
	}
}
