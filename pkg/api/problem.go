package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/dozaar/dozaar/pkg/chat"
)

// problem is an error as RFC 9457 has it, with two members of our own: `code`, to switch on, and
// `field`. The type is always about:blank, so the title is the status's own phrase.
type problem struct {
	Type   string    `json:"type"`
	Title  string    `json:"title"`
	Status int       `json:"status"`
	Detail string    `json:"detail"`
	Code   chat.Code `json:"code"`
	Field  string    `json:"field,omitempty"`
}

// statuses is the one place where codes become statuses.
var statuses = map[chat.Code]int{
	chat.CodeInvalid:      http.StatusBadRequest,
	chat.CodeUnauthorized: http.StatusUnauthorized,
	chat.CodeTokenExpired: http.StatusUnauthorized,
	chat.CodeForbidden:    http.StatusForbidden,
	chat.CodeNotFound:     http.StatusNotFound,
	chat.CodeNotJoined:    http.StatusConflict,
	chat.CodeConflict:     http.StatusConflict,
	chat.CodeTooLarge:     http.StatusRequestEntityTooLarge,
	chat.CodeRateLimited:  http.StatusTooManyRequests,
	chat.CodeUnavailable:  http.StatusServiceUnavailable,
	chat.CodeInternal:     http.StatusInternalServerError,
}

// retryAfter is how many seconds a client is asked to wait where trying again helps.
const retryAfter = "1"

// fail answers err. What a client may not know of it goes to the log, without the request's contents.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	// A deadline that ran out is an engine that did not answer, whatever the adapter made of it.
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = errors.Join(chat.ErrUnavailable, err)
	}
	told := chat.AsError(err)
	status, known := statuses[told.Code]
	if !known {
		told, status = chat.ErrInternal, http.StatusInternalServerError
	}
	if status >= http.StatusInternalServerError && r.Context().Err() != context.Canceled {
		level := slog.LevelError
		if status == http.StatusServiceUnavailable {
			level = slog.LevelWarn
		}
		a.Logger.Log(r.Context(), level, "http request failed", "route", r.Pattern, "code", told.Code, "error", err)
	}
	switch told.Code {
	case chat.CodeUnauthorized:
		w.Header().Set("WWW-Authenticate", challenge(r, ""))
	case chat.CodeTokenExpired:
		w.Header().Set("WWW-Authenticate", challenge(r, `, error_description="the token has expired"`))
	case chat.CodeForbidden:
		w.Header().Set("WWW-Authenticate", `Bearer realm="dozaar", error="insufficient_scope", scope="service"`)
	case chat.CodeRateLimited, chat.CodeUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	writeProblem(w, status, told)
}

// challenge is what RFC 6750 asks of a 401: no error where no token was shown.
func challenge(r *http.Request, description string) string {
	if r.Header.Get("Authorization") == "" {
		return `Bearer realm="dozaar"`
	}
	return `Bearer realm="dozaar", error="invalid_token"` + description
}

func writeProblem(w http.ResponseWriter, status int, err *chat.Error) {
	// Strings and a number always marshal.
	_ = write(w, status, "application/problem+json", problem{
		Type:   "about:blank",
		Title:  http.StatusText(status),
		Status: status,
		Detail: err.Message,
		Code:   err.Code,
		Field:  err.Field,
	})
}

// respond answers a request that went well.
func (a *api) respond(w http.ResponseWriter, r *http.Request, answer answer) {
	if answer.body == nil {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(answer.status)
		return
	}
	if err := write(w, answer.status, "application/json", answer.body); err != nil {
		a.fail(w, r, err)
	}
}

// write sends one JSON document. It fails only before the first byte; a client that has gone is no error.
func write(w http.ResponseWriter, status int, mediaType string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(data)
	return nil
}

// methodNotAllowed answers for a path that is there, but not with this method.
func (a *api) methodNotAllowed(allow string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", allow)
		writeProblem(w, http.StatusMethodNotAllowed, chat.Invalid("", "this path takes "+allow))
	})
}

// unknownPath answers for every path that is not the API's.
func (a *api) unknownPath() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, &chat.Error{Code: chat.CodeNotFound, Message: "there is no such path"})
	})
}
