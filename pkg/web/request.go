package web

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/text"
	"example.com/orderflow/pkg/wire"
	"github.com/labstack/echo/v4"
)

// JSON reads the request's body into v. It is strict, so that no mistake of the caller is lost: another media type, or a
// compressed body, is 415; a body that is no JSON or no Unicode, or holds more than one value, is 400; a field that is
// unknown, of a wrong type, or there twice is 422 and is named; a body over the limit is 413.
func JSON(c echo.Context, v any) error {
	media, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil || media != echo.MIMEApplicationJSON {
		return fault.New(fault.Unsupported, "Content-Type must be application/json")
	}
	if c.Request().Header.Get(echo.HeaderContentEncoding) != "" {
		return fault.New(fault.Unsupported, "the body must be sent as it is, without a Content-Encoding")
	}
	body, err := Body(c)
	if err != nil {
		return err
	}
	err = wire.ReadKnown(body, v)
	if m, ok := errors.AsType[*wire.Misfit](err); ok {
		var fields fault.Fields
		where := clip(cmp.Or(m.Field, "(body)"))
		if text.Card(where) { // the answer quotes it, and the caller may log the answer
			where = "(a name)"
		}
		fields.Check(false, where, "%s", m.Message)
		return fields.Err()
	}
	if err != nil {
		return fault.New(fault.Malformed, "the body is not JSON: %s", clip(err.Error()))
	}
	return nil
}

// OptionalJSON is JSON for a request that need not have a body. Only reading shows whether there is one: the length of a
// body in chunks is not known before.
func OptionalJSON(c echo.Context, v any) error {
	body, err := Body(c)
	if err != nil || len(body) == 0 {
		return err
	}
	c.Request().Body = io.NopCloser(bytes.NewReader(body))
	return JSON(c, v)
}

// NoFields is for a request that says all in its path. A body with a field is refused as JSON refuses an unknown one.
func NoFields(c echo.Context) error {
	var none struct{}
	return OptionalJSON(c, &none)
}

// Body reads the whole body of a request. A body over the limit is 413, one that is shorter than announced is 400.
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

// clip shortens a text that an answer quotes.
func clip(s string) string {
	const most = 100
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// Text checks a text from outside and returns the form of it that is to be kept (see text.Normal). The text must have from
// least to most characters. Unless it is empty, one of them must be visible. It must hold no character that no text may
// hold, and no number of a payment card.
func Text(fields *fault.Fields, field, value string, least, most int) string {
	value = text.Normal(value)
	n := utf8.RuneCountInString(value)
	wrong := text.Wrong(value)
	switch {
	case wrong != "":
		fields.Check(false, field, "%s", wrong)
	case n == 0 && least == 1:
		fields.Check(false, field, "must not be empty")
	case n > 0 && !text.Visible(value):
		fields.Check(false, field, "must have something that can be seen")
	case text.Card(value):
		fields.Check(false, field, "must not hold the number of a card")
	default:
		fields.Check(n >= least && n <= most, field, "must have %d to %d characters, has %d", least, most, n)
	}
	return value
}

// Replayed tells the client, in the header Idempotency-Replayed, that the request was done before under its key: the answer is
// that of then, or says the same. The client may have sent the request once, and the gateway again.
func Replayed(c echo.Context) { c.Response().Header().Set("Idempotency-Replayed", "true") }

const keyMost = 255 // characters of an Idempotency-Key

// IdempotencyKey returns the header by which a client marks a repeated request, or "" when there is none. The draft
// (draft-ietf-httpapi-idempotency-key-header-07) requires quotes and most clients send none: both are accepted.
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
