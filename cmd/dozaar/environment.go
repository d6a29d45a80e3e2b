package main

import (
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// environment is the process's variables, or what a test puts in their place. An empty one counts as not set.
type environment map[string]string

// environmentOf takes what os.Environ gives.
func environmentOf(pairs []string) environment {
	env := environment{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return env
}

// foreign are variables that others set under our prefix: Kubernetes, for every service whose name begins with dozaar,
// and whoever starts the engines for development.
var foreign = regexp.MustCompile(`^DOZAAR_(ENGINES_\w+|(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?))=` +
	`|^DOZAAR_(\w+_)?PORT=(tcp|udp|sctp)://`)

// findUnknownVariables looks for variables that are no setting of any command. One that is nearly a setting of this
// command is a problem: somebody thinks that it holds. Any other is strange, which is told and stops nobody: what a
// newer release is configured with must not keep an older one from starting.
func (s *settings) findUnknownVariables(ctx *kong.Context) {
	known := settingsOf(ctx.Model.Node)
	used := map[string]bool{}
	for _, flag := range ctx.Flags() {
		used[flag.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(s.env)) {
		value := s.env[name]
		if !strings.HasPrefix(name, "DOZAAR_") || value == "" || foreign.MatchString(name+"="+value) {
			continue
		}
		meant, slips := "", 3
		for flag := range known {
			if n := distance(name, variable(flag)); n < slips {
				meant, slips = flag, n
			}
		}
		switch {
		case slips == 0:
		case used[meant]:
			s.problems = append(s.problems, problem{name, fmt.Sprintf("there is no such setting; did you mean %s?", variable(meant))})
		case meant != "":
			s.strange = append(s.strange, fmt.Sprintf("%s: there is no such setting; if %s is meant, this command does not use it", name, variable(meant)))
		default:
			s.strange = append(s.strange, name+": there is no such setting; `dozaar config` prints all")
		}
	}
}

// warn tells of what is in the environment for nothing.
func (s *settings) warn(log *slog.Logger) {
	for _, one := range s.strange {
		log.Warn("a variable has no effect", "which", one)
	}
}

// distance is Levenshtein's: how many letters must be put in, taken out or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // of the part of a so far, to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0] // row[j-1] without a[i]
		row[0]++
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
