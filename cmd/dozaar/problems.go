package main

import (
	"errors"
	"fmt"
	"strings"
)

// problems is everything that is wrong with a configuration.
type problems []problem

// problem is one thing that is wrong: where, and what to do.
type problem struct{ where, what string }

func (p problem) String() string { return p.where + ": " + p.what }

// add notes a problem with a flag, naming it in both ways.
func (p *problems) add(flag, format string, args ...any) {
	*p = append(*p, problem{
		where: fmt.Sprintf("%s (--%s)", variable(flag), flag),
		what:  strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "),
	})
}

// first is nil if there are none, else one error in one line: who wants the whole list asks for it.
func (p problems) first(role string) error {
	switch len(p) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s", p[0])
	}
	return fmt.Errorf("%s (and %d more: see `dozaar config check --role %s`)", p[0], len(p)-1, role)
}

// err is nil if there are none, else an error with a line for each.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	all := make([]string, len(p))
	for i, one := range p {
		all[i] = one.String()
	}
	return errors.New(strings.Join(all, "\n"))
}

// checker is a group of settings that can tell what is wrong with it.
type checker interface{ check(p *problems) }

// valid says whether what was read, and what the groups say of it, is in order.
func (s *settings) valid(groups ...checker) error { return s.all(groups...).err() }

// all is every problem, those of reading first.
func (s *settings) all(groups ...checker) problems {
	found := append(problems(nil), s.problems...)
	for _, g := range groups {
		g.check(&found)
	}
	return found
}
