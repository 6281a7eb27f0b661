// Package fault names the kinds of errors that callers act upon. Any other error is internal: its text stays in our logs,
// and the caller learns only that the request was not at fault. web maps a kind to an HTTP status, in one place.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what a caller can do about an error.
type Kind string

// The kinds, each with the HTTP status that it becomes.
const (
	Internal      Kind = "internal"       // 500
	Malformed     Kind = "malformed"      // 400: the request cannot be read
	Unauthorized  Kind = "unauthorized"   // 401: no good token
	Forbidden     Kind = "forbidden"      // 403: a good token without the scope
	NotFound      Kind = "not-found"      // 404: unknown, or another caller's
	NotAllowed    Kind = "not-allowed"    // 405: the path has other methods
	NotAcceptable Kind = "not-acceptable" // 406: the client accepts none of the media types that there are
	Conflict      Kind = "conflict"       // 409: the state of the resource forbids it
	Stale         Kind = "stale"          // 412: it has changed since the caller looked
	TooLarge      Kind = "too-large"      // 413
	Unsupported   Kind = "unsupported"    // 415: another media type is wanted
	Invalid       Kind = "invalid"        // 422: readable, but its fields are not right
	HeaderTooBig  Kind = "header-too-big" // 431
	TooMany       Kind = "too-many"       // 429: the caller may try again later
	BadGateway    Kind = "bad-gateway"    // 502: an upstream answered with nonsense
	Unavailable   Kind = "unavailable"    // 503: the caller may try again later
	Timeout       Kind = "timeout"        // 504: an upstream did not answer in time
)

// Field is one thing that is wrong with a request.
type Field struct {
	Field   string `json:"field"` // such as lines[0].quantity
	Message string `json:"message"`
}

// Error is an error whose text is meant for the caller.
type Error struct {
	Kind       Kind
	Name       string // the problem's own name, for programs; empty: the kind is its name
	Detail     string
	Fields     []Field
	More       map[string]any // further members for programs, by their names
	RetryAfter time.Duration  // zero: unknown
	cause      error
}

// New returns an error of a kind, with a text for the caller.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// Named gives the problem a name of its own, for programs that do something about it.
func (e *Error) Named(name string) *Error {
	e.Name = name
	return e
}

// With adds a member to the problem.
func (e *Error) With(member string, value any) *Error {
	if e.More == nil {
		e.More = map[string]any{}
	}
	e.More[member] = value
	return e
}

// Because keeps err as the cause, for errors.Is and our logs. The caller does not see it.
func (e *Error) Because(err error) *Error {
	e.cause = err
	return e
}

// After tells the caller when to try again.
func (e *Error) After(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

func (e *Error) Error() string {
	if e.cause != nil {
		return e.Detail + ": " + e.cause.Error()
	}
	return e.Detail
}

func (e *Error) Unwrap() error { return e.cause }

// KindOf returns the kind of err, or Internal.
func KindOf(err error) Kind {
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Kind
	}
	return Internal
}

// Fields collects what is wrong with a request, so that the caller learns all of it at once.
type Fields []Field

// Check adds a field unless ok.
func (f *Fields) Check(ok bool, field, format string, args ...any) {
	if !ok {
		*f = append(*f, Field{field, fmt.Sprintf(format, args...)})
	}
}

// Err returns nil when nothing is wrong, else an Invalid error with all fields.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	e := New(Invalid, "%s: %s", f[0].Field, f[0].Message)
	if len(f) > 1 {
		e.Detail = fmt.Sprintf("%d fields are not right, the first: %s", len(f), e.Detail)
	}
	e.Fields = f
	return e
}
