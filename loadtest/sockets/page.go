package main

import (
	"errors"
	"os"
	"strings"
)

// The page has words around the numbers; only what is between these marks is written anew.
const (
	pagePath  = "docs/benchmarks/sockets.md"
	pageBegin = "<!-- measured: begin -->\n"
	pageEnd   = "<!-- measured: end -->\n"
)

func publish(measured string) error {
	page, err := os.ReadFile(pagePath)
	if err != nil {
		return err
	}
	text, err := between(string(page), measured)
	if err != nil {
		return err
	}
	return os.WriteFile(pagePath, []byte(text), 0o644) //nolint:gosec // a page for everybody
}

func between(page, measured string) (string, error) {
	before, rest, ok := strings.Cut(page, pageBegin)
	_, after, closed := strings.Cut(rest, pageEnd)
	if !ok || !closed {
		return "", errors.New(pagePath + " lacks the marks between which the numbers go")
	}
	return before + pageBegin + "\n" + measured + "\n" + pageEnd + after, nil
}
