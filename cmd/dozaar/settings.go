package main

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	kongyaml "github.com/alecthomas/kong-yaml"
	"gopkg.in/yaml.v3"
)

// settings finds the values of flags that are not on the command line: in the environment, else in the
// file. (Left to itself, kong would let a file win over the environment; and it would stop at the first
// value that it cannot read, where we want to name all of them.)
//
// Only the flags of the command that runs are looked at: a variable that it does not use may be anything.
type settings struct {
	env      environment
	path     string        // of the file, or ""
	file     kong.Resolver // nil: no file
	problems problems      // what could not be read, or is nobody's; those flags have their defaults
	strange  []string      // variables that are nobody's, and no problem
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "DOZAAR_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// isSetting tells flags that configure from those that say what to do now (--user, --help): only the
// former have a variable and a key in the file.
func isSetting(flag *kong.Flag) bool { return !flag.Tag.Has("local") }

// Validate is part of kong.Resolver.
func (s *settings) Validate(*kong.Application) error { return nil }

// Resolve is part of kong.Resolver.
func (s *settings) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if !isSetting(flag) {
		return nil, nil
	}
	if value, ok := s.variable(flag.Name); ok {
		return s.readable(flag, value, ""), nil
	}
	if s.file == nil {
		return nil, nil
	}
	// A key means the same for every command: it is looked up as if the flag belonged to none.
	value, err := s.file.Resolve(ctx, &kong.Path{App: ctx.Model}, flag)
	if err != nil || value == nil {
		return nil, err
	}
	text, ok := plain(value)
	if !ok {
		s.problems.add(flag.Name, "in %s: must be one value or a list of values", s.path)
		return nil, nil
	}
	return s.readable(flag, text, " in "+s.path), nil
}

func (s *settings) variable(flag string) (string, bool) {
	value := s.env[variable(flag)]
	return value, value != ""
}

// readable returns value if the flag takes it, else nil, and notes the problem.
func (s *settings) readable(flag *kong.Flag, value, where string) any {
	scratch := reflect.New(flag.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(value, kong.FlagValueToken)
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, scratch); err != nil {
		s.problems.add(flag.Name, "%q%s cannot be read: %v", value, where, err)
		return nil
	}
	return value
}

// plain writes what YAML understood as the text that a flag would be given.
func plain(value any) (string, bool) {
	switch v := value.(type) {
	case map[string]any:
		return "", false
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			text, ok := plain(item)
			if _, list := item.([]any); list || !ok {
				return "", false
			}
			items[i] = text
		}
		return kong.JoinEscaped(items, ','), true
	}
	return fmt.Sprint(value), true
}

// configFile is --config.
type configFile string

// BeforeResolve reads the file that the command line or the environment names, before any flag is looked
// up in it. What is wrong with it is a problem like others, so that they are told together.
func (c *cli) BeforeResolve(ctx *kong.Context, a *app) error { //nolint:unparam // kong wants this shape
	s := a.settings
	s.findUnknownVariables(ctx)
	for _, flag := range ctx.Model.Flags {
		if flag.Name == "config" {
			given, _ := ctx.FlagValue(flag).(configFile)
			s.path = string(given)
		}
	}
	if value, ok := s.variable("config"); ok && s.path == "" {
		s.path = value
	}
	if s.path == "" {
		return nil
	}
	data, err := os.ReadFile(s.path)
	if err != nil {
		s.problems.add("config", "%v", err)
		return nil
	}
	if s.file, err = kongyaml.Loader(bytes.NewReader(data)); err != nil {
		s.problems.add("config", "%s is not a YAML file of settings: %s", s.path, oneLine(err))
		return nil
	}
	s.findUnknown(data, ctx.Model.Node)
	return nil
}

// findUnknown notes keys that are nobody's: in a file, a misspelt setting shall not be passed over.
func (s *settings) findUnknown(data []byte, root *kong.Node) {
	known := settingsOf(root)
	delete(known, "config")
	var content map[string]any
	if yaml.Unmarshal(data, &content) != nil {
		return // the loader has said so
	}
	for _, key := range flatten("", content) {
		if !known[key] {
			s.problems = append(s.problems, problem{where: s.path, what: fmt.Sprintf("there is no setting %q; `dozaar config` prints all", key)})
		}
	}
}

// settingsOf are the flags of every command that configure.
func settingsOf(root *kong.Node) map[string]bool {
	all := map[string]bool{}
	_ = kong.Visit(root, func(v kong.Visitable, next kong.Next) error {
		if flag, ok := v.(*kong.Flag); ok && isSetting(flag) {
			all[flag.Name] = true
		}
		return next(nil)
	})
	return all
}

// flatten lists a file's keys; nested ones are joined by a dash, as kong-yaml does.
func flatten(prefix string, content map[string]any) []string {
	var keys []string
	for key, value := range content {
		if nested, ok := value.(map[string]any); ok {
			keys = append(keys, flatten(prefix+key+"-", nested)...)
			continue
		}
		keys = append(keys, prefix+key)
	}
	slices.Sort(keys)
	return keys
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
