package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

// JSON reads the request's body into v. It is strict where a mistake of the caller would otherwise be lost: another media
// type is 415; what is no JSON or no UTF-8, or holds more than one value, is 400; an unknown field or a wrong type is 422
// and names the field; a body over the limit is 413.
func JSON(c echo.Context, v any) error {
	media, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil || media != echo.MIMEApplicationJSON {
		return fault.New(fault.Unsupported, "Content-Type must be application/json")
	}
	body, err := Body(c)
	if err != nil {
		return err
	}
	if !utf8.Valid(body) {
		return fault.New(fault.Malformed, "the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return misread(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Malformed, "the body holds more than one JSON value")
	}
	return nil
}

// Body reads the whole body of a request: over the limit it is 413, and 400 when less arrives than was announced.
func Body(c echo.Context) ([]byte, error) {
	body, err := io.ReadAll(c.Request().Body)
	if e, ok := errors.AsType[*echo.HTTPError](err); ok && e.Code == http.StatusRequestEntityTooLarge {
		return nil, e
	}
	if err != nil {
		return nil, fault.New(fault.Malformed, "the body ended too soon").Because(err)
	}
	return body, nil
}

func misread(err error) error {
	var fields fault.Fields
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := e.Field
		if where == "" {
			where = "(body)"
		}
		fields.Check(false, where, "is a %s, not a %s", clip(e.Value), typeName(e.Type.Kind().String()))
		return fields.Err()
	}
	// encoding/json has no type for this error.
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		fields.Check(false, clip(strings.Trim(name, `"`)), "is not a field that is known here")
		return fields.Err()
	}
	return fault.New(fault.Malformed, "the body is not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// clip keeps an answer short that quotes a caller who was not.
func clip(s string) string {
	const most = 100
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

func typeName(goKind string) string {
	switch goKind {
	case "string":
		return "string"
	case "bool":
		return "boolean"
	case "struct", "map":
		return "object"
	case "slice":
		return "list"
	default:
		return "whole number"
	}
}

// Text checks a text from outside: its length in characters, and that it holds nothing that cannot be seen.
func Text(fields *fault.Fields, field, value string, least, most int) {
	n := utf8.RuneCountInString(value)
	switch {
	case strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }):
		fields.Check(false, field, "must not hold control characters")
	case n < least && least == 1:
		fields.Check(false, field, "must not be empty")
	default:
		fields.Check(n >= least && n <= most, field, "must have %d to %d characters, has %d", least, most, n)
	}
}

// ETag answers a conditional GET: it sets the tag and reports whether the caller's copy is still good, in which case 304
// has been sent and the handler is done (RFC 9110, 13.1.2).
func ETag(c echo.Context, tag string) (fresh bool, err error) {
	tag = fmt.Sprintf("%q", tag)
	c.Response().Header().Set("ETag", tag)
	for theirs := range strings.SplitSeq(c.Request().Header.Get("If-None-Match"), ",") {
		theirs = strings.TrimPrefix(strings.TrimSpace(theirs), "W/")
		if theirs == tag || theirs == "*" {
			return true, c.NoContent(http.StatusNotModified)
		}
	}
	return false, nil
}

const keyMost = 255 // characters of an Idempotency-Key

// IdempotencyKey reads the header by which a client makes a repeated request known as such, or "" when there is none. The
// draft (draft-ietf-httpapi-idempotency-key-header-07) wants it quoted and most clients send it bare: both are fine.
func IdempotencyKey(r *http.Request) (string, error) {
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) == 0 {
		return "", nil
	}
	key := keys[0]
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	unprintable := strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
	if len(keys) > 1 || key == "" || len(key) > keyMost || unprintable {
		return "", fault.New(fault.Malformed, "there must be one Idempotency-Key, of 1 to %d printable ASCII characters without spaces", keyMost)
	}
	return key, nil
}
