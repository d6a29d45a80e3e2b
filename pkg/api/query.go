package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Sizes of a page, of conversations and of messages.
const (
	defaultLimit = 50
	maxLimit     = 100
)

// parameters are a request's query. Ones that nobody asks for are ignored.
type parameters struct{ values url.Values }

func query(r *http.Request) (parameters, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return parameters{}, chat.Invalid("query", "is not a well-formed query string")
	}
	return parameters{values}, nil
}

// text is a parameter that may be given once.
func (p parameters) text(name string) (value string, given bool, err error) {
	switch values := p.values[name]; len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	default:
		return "", false, chat.Invalid(name, "may be given only once")
	}
}

// number is a parameter that is a whole number and no less than least.
func (p parameters) number(name string, least int64) (n int64, given bool, err error) {
	s, given, err := p.text(name)
	if err != nil || !given {
		return 0, given, err
	}
	n, err = strconv.ParseInt(s, 10, 64)
	if err != nil || n < least {
		return 0, true, chat.Invalid(name, fmt.Sprintf("must be a whole number, %d or more", least))
	}
	return n, true, nil
}

// limit is how many items a page may have.
func (p parameters) limit() (int, error) {
	n, given, err := p.number("limit", 1)
	switch {
	case err != nil:
		return 0, err
	case !given:
		return defaultLimit, nil
	case n > maxLimit:
		return 0, chat.Invalid("limit", fmt.Sprintf("must be at most %d", maxLimit))
	}
	return int(n), nil
}
