package bench

import (
	"errors"
	"os"
	"strings"
)

// Publish writes what was measured into a page. The page has words around the numbers; only what is between the
// marks of that name is written anew: <!-- name: begin --> and <!-- name: end -->, each a line.
func Publish(path, name, measured string) error {
	page, err := os.ReadFile(path) //nolint:gosec // a page of this repository
	if err != nil {
		return err
	}
	text, err := Between(string(page), name, measured)
	if err != nil {
		return errors.New(path + " " + err.Error())
	}
	return os.WriteFile(path, []byte(text), 0o644) //nolint:gosec // a page for everybody
}

// Between puts what was measured between the marks of that name.
func Between(page, name, measured string) (string, error) {
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", errors.New("lacks the marks of " + name + " between which the numbers go")
	}
	return before + begin + "\n" + measured + "\n" + end + after, nil
}
