package bench

import (
	"errors"
	"os"
	"strings"
)

// A page has words around the numbers; only what is between these marks is written anew.
const (
	PageBegin = "<!-- measured: begin -->\n"
	PageEnd   = "<!-- measured: end -->\n"
)

// Publish writes what was measured into a page.
func Publish(path, measured string) error {
	page, err := os.ReadFile(path) //nolint:gosec // a page of this repository
	if err != nil {
		return err
	}
	text, err := Between(string(page), measured)
	if err != nil {
		return errors.New(path + " " + err.Error())
	}
	return os.WriteFile(path, []byte(text), 0o644) //nolint:gosec // a page for everybody
}

// Between puts what was measured between the marks of a page.
func Between(page, measured string) (string, error) {
	before, rest, ok := strings.Cut(page, PageBegin)
	_, after, closed := strings.Cut(rest, PageEnd)
	if !ok || !closed {
		return "", errors.New("lacks the marks between which the numbers go")
	}
	return before + PageBegin + "\n" + measured + "\n" + PageEnd + after, nil
}
