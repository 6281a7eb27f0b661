package web

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

// Takes sets the query parameters that a path of the API has. A parameter whose name ends in "*" may be given several
// times. A path without a call of Takes has none.
func (s *Server) Takes(path string, names ...string) { s.queries[path] = names }

// query refuses parameters that the API does not know, and those that are given twice, of which it would ignore one: the
// caller would not notice that the answer is to another question. Pages and probes accept any parameter.
func (s *Server) query(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !strings.HasPrefix(c.Path(), "/api/") {
			return next(c)
		}
		if err := checkQuery(c.Request().URL.RawQuery, s.queries[c.Path()]); err != nil {
			return err
		}
		return next(c)
	}
}

func checkQuery(raw string, names []string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return fault.New(fault.Malformed, "the query cannot be read")
	}
	for name, given := range values {
		switch once := slices.Contains(names, name) && !strings.HasSuffix(name, "*"); {
		case !once && !slices.Contains(names, name+"*"):
			return fault.New(fault.Malformed, "the query parameter %q is not known here", clip(name))
		case once && len(given) > 1:
			return fault.New(fault.Malformed, "the query parameter %q was given more than once", name)
		case slices.ContainsFunc(given, unreadable):
			return fault.New(fault.Malformed, "the query parameter %q holds what is no text", name)
		}
	}
	return nil
}

func unreadable(value string) bool {
	return !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl)
}

// Limit returns how many items a page may have.
func Limit(c echo.Context, preset, most int) (int, error) {
	q := c.QueryParam("limit")
	if q == "" {
		return preset, nil
	}
	n, err := strconv.Atoi(q)
	if err != nil || n < 1 || n > most {
		return 0, fault.New(fault.Malformed, "limit must be a number from 1 to %d", most)
	}
	return n, nil
}

// ErrCursor is the error for a cursor that was made up, or belongs to another list.
var ErrCursor = fault.New(fault.Malformed, "cursor is not one that was given out here")

const between = "\x00" // no text in PostgreSQL can hold it

// Cursor makes an opaque cursor of the parts that identify the last item of a page.
func Cursor(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, between)))
}

// After returns the parts of the request's cursor; nil when the first page is wanted. The caller has to check what they
// mean.
func After(c echo.Context, parts int) ([]string, error) {
	q := c.QueryParam("cursor")
	if q == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(q)
	if err != nil || !utf8.Valid(raw) || strings.ContainsAny(q, "\r\n") {
		return nil, ErrCursor
	}
	found := strings.Split(string(raw), between)
	if len(found) != parts {
		return nil, ErrCursor
	}
	return found, nil
}

// pageMost is how many bytes of items a page may have: clients that read an answer whole need a limit, and our own limit is
// 1 MB.
const pageMost = 256 << 10

// Page is the body of a list. It ends at the limit that was asked for or at a number of bytes, whichever comes first. It
// has at least one item, so that the next page always gets further.
type Page struct {
	Items []json.RawMessage `json:"items"`
	Next  string            `json:"next_cursor"` // empty: this is the last page
}

// NewPage makes a page of the items in read, which has one item more than the limit if there are so many. cursor returns
// the cursor of the last item that is shown.
func NewPage[T any](read []T, limit int, body func(T) any, cursor func(T) string) (Page, error) {
	p := Page{Items: []json.RawMessage{}}
	bytes := 0
	for i, one := range read {
		text, err := json.Marshal(body(one))
		if err != nil {
			return p, fmt.Errorf("encode item: %w", err)
		}
		if bytes += len(text); i == limit || i > 0 && bytes > pageMost {
			p.Next = cursor(read[i-1])
			break
		}
		p.Items = append(p.Items, text)
	}
	return p, nil
}
