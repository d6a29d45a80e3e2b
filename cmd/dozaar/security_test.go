package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// Each test that SECURITY.md and the runbook name is there.
func TestNamedTestsExist(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "grep", "-rhoE", `^func Test\w+`, "--include=*_test.go", "../../cmd", "../../pkg", "../../streams", "../../schemas").Output()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		there[strings.TrimPrefix(strings.TrimSpace(line), "func ")] = true
	}
	for _, file := range []string{"../../SECURITY.md", "../../deploy/runbook.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(text), -1)
		if len(named) == 0 {
			t.Errorf("%s names no test", file)
		}
		for _, name := range named {
			if !there[name] {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
	}
}
