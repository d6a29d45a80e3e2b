// Package scenarios reads plans of load from files: what each is about, and settings by the names of the flags that
// they stand for (load.Plan). Those in this folder are built in.
package scenarios

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

//go:embed *.yaml
var files embed.FS

// Scenario is one file.
type Scenario struct {
	Name     string
	About    string
	settings map[string]string
}

// Names are those that are built in.
func Names() []string {
	entries, _ := files.ReadDir(".") // it is in the program
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Read reads a file, or one that is built in by its name.
func Read(name string) (Scenario, error) {
	read := os.ReadFile
	if file, err := os.Stat(name); slices.Contains(Names(), name) && (err != nil || file.IsDir()) {
		name, read = name+".yaml", files.ReadFile
	}
	text, err := read(name)
	if err != nil {
		return Scenario{}, fmt.Errorf("%w; built in are %s", err, strings.Join(Names(), ", "))
	}
	s, err := parse(text)
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	s.Name = strings.TrimSuffix(filepath.Base(name), ".yaml")
	return s, nil
}

func parse(text []byte) (s Scenario, err error) {
	if err := yaml.Unmarshal(text, &s.settings); err != nil {
		return s, err
	}
	if s.About = s.settings["about"]; s.About == "" {
		return s, errors.New("it does not say what it is `about`")
	}
	delete(s.settings, "about")
	return s, nil
}

// Apply sets what the scenario says, but for what was given as a flag.
func (s Scenario) Apply(f *flag.FlagSet) error {
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		if f.Lookup(name) == nil {
			return fmt.Errorf("%s: %q is no setting", s.Name, name)
		}
		if given[name] {
			continue
		}
		if err := f.Set(name, s.settings[name]); err != nil {
			return fmt.Errorf("%s: %s: %w", s.Name, name, err)
		}
	}
	return nil
}
