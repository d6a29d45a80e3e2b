package chat

import "errors"

// Code is what a client's program reads of an error. The list is closed: a client may switch on it.
type Code string

// The codes, as they appear in acknowledgements, in `exception`, in `connect_error` (`data.code`)
// and in the HTTP API's problems (`code`).
const (
	CodeInvalid      Code = "invalid"       // a field is missing, malformed or over a limit; `field` names it
	CodeUnauthorized Code = "unauthorized"  // no token, or one that is not accepted
	CodeTokenExpired Code = "token_expired" // the token was good and has run out
	CodeForbidden    Code = "forbidden"     // the token lacks the scope
	CodeNotFound     Code = "not_found"     // not there, or not yours: the answer is the same
	CodeNotJoined    Code = "not_joined"    // the socket has not joined the conversation
	CodeConflict     Code = "conflict"      // the id is taken by something else
	CodeTooLarge     Code = "too_large"     // the request is over the size limit
	CodeRateLimited  Code = "rate_limited"  // too many; slow down
	CodeUnavailable  Code = "unavailable"   // something the server needs is away; try again
	CodeInternal     Code = "internal"      // a fault of the server
)

// Error is an error that a client may see.
type Error struct {
	Code    Code
	Field   string // the field at fault, where there is one
	Message string // for a person, without secrets
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

// Is makes errors.Is(err, ErrNotFound) hold for every error of that code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Sentinels to compare with errors.Is and to wrap with %w. Only the code is compared.
var (
	ErrUnauthorized = &Error{Code: CodeUnauthorized, Message: "a valid token is required"}
	ErrTokenExpired = &Error{Code: CodeTokenExpired, Message: "the token has expired"}
	ErrForbidden    = &Error{Code: CodeForbidden, Message: "the token does not allow this"}
	ErrNotFound     = &Error{Code: CodeNotFound, Message: "there is no such conversation or message, or it is not yours"}
	ErrNotJoined    = &Error{Code: CodeNotJoined, Message: "join the conversation first"}
	ErrConflict     = &Error{Code: CodeConflict, Message: "this id was used before, with other content"}
	ErrRateLimited  = &Error{Code: CodeRateLimited, Message: "too many of these; slow down"}
	ErrUnavailable  = &Error{Code: CodeUnavailable, Message: "the service is not available right now; try again"}
	ErrInternal     = &Error{Code: CodeInternal, Message: "the server failed"}
)

// Invalid returns the error for a bad field.
func Invalid(field, message string) *Error {
	return &Error{Code: CodeInvalid, Field: field, Message: message}
}

// AsError finds what a client may be told of err. Anything that is not an *Error is the server's
// own fault, and its text stays inside.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return ErrInternal
}
