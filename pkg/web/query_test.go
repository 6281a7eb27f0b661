package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

func TestTheAPIRefusesParametersThatItWouldIgnore(t *testing.T) {
	t.Parallel()
	s := web.New(web.Config{Log: quiet()})
	fine := func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }
	s.GET("/api/things", fine)
	s.Takes("/api/things", "limit", "id*")
	s.GET("/api/things/:id", fine)
	s.POST("/api/things", fine)
	s.GET("/page", fine)
	for path, want := range map[string]string{
		"/api/things":                        "",
		"/api/things?":                       "",
		"/api/things?limit=1&id=a&id=b":      "",
		"/api/things?limit=":                 "",
		"/api/things?limit=1&limit=1":        `the query parameter "limit" was given more than once`,
		"/api/things?Limit=1":                `the query parameter "Limit" is not known here`,
		"/api/things?limit=1&statsu=paid":    `the query parameter "statsu" is not known here`,
		"/api/things?id*=a":                  `the query parameter "id*" is not known here`,
		"/api/things?=":                      `the query parameter "" is not known here`,
		"/api/things?limit=%zz":              "the query cannot be read",
		"/api/things?limit=1;id=2":           "the query cannot be read",
		"/api/things?id=%00":                 `the query parameter "id" holds what is no text`,
		"/api/things?id=%ff":                 `the query parameter "id" holds what is no text`,
		"/api/things/7?limit=1":              `the query parameter "limit" is not known here`,
		"/page?utm_source=friends&utm_x=%zz": "",
		"/readyz?verbose":                    "",
	} {
		w := call(t, s, http.MethodGet, path, "")
		var p web.Problem
		if want != "" {
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		if (w.Code == http.StatusBadRequest) != (want != "") || p.Detail != want {
			t.Errorf("%s: %d %s, want %q", path, w.Code, w.Body, want)
		}
	}
	if w := call(t, s, http.MethodPost, "/api/things?dry_run=true", ""); w.Code != http.StatusBadRequest {
		t.Errorf("what would be done although it was not meant: %d", w.Code)
	}
	if w := call(t, s, http.MethodGet, "/api/nowhere?x=1", ""); w.Code != http.StatusNotFound {
		t.Errorf("a path that is not there: %d", w.Code)
	}
}

func TestAPageEndsAtItsLimitOrItsBytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		read  []string // one more than the limit
		limit int
		shown int
		next  string
	}{
		{"nothing", nil, 2, 0, ""},
		{"fewer than the limit", []string{"a"}, 2, 1, ""},
		{"as many as the limit", []string{"a", "b"}, 2, 2, ""},
		{"one more", []string{"a", "b", "c"}, 2, 2, "b"},
		{"too many bytes", []string{"a" + strings.Repeat("x", 100<<10), "b" + strings.Repeat("x", 100<<10), "c" + strings.Repeat("x", 100<<10)}, 3, 2, "b"},
		{"one that is too long by itself", []string{"a" + strings.Repeat("x", 300<<10), "b"}, 2, 1, "a"},
	} {
		p, err := web.NewPage(c.read, c.limit, func(s string) any { return s }, func(s string) string { return s[:1] })
		if err != nil || len(p.Items) != c.shown || p.Next != c.next {
			t.Errorf("%s: %d items, then %q, %v; want %d, then %q", c.name, len(p.Items), p.Next, err, c.shown, c.next)
		}
	}
	text, err := json.Marshal(web.Page{Items: []json.RawMessage{}})
	if err != nil || string(text) != `{"items":[],"next_cursor":""}` {
		t.Errorf("%s, %v", text, err)
	}
}

func TestACursorThatWasNotGivenOutIsRefused(t *testing.T) {
	t.Parallel()
	s := web.New(web.Config{Log: quiet()})
	var got []string
	s.Takes("/api/things", "cursor")
	s.GET("/api/things", func(c echo.Context) (err error) {
		got, err = web.After(c, 2)
		return err
	})
	call(t, s, http.MethodGet, "/api/things?cursor="+web.Cursor("name", "a mug, blue/ü"), "")
	if len(got) != 2 || got[0] != "name" || got[1] != "a mug, blue/ü" {
		t.Errorf("%q", got)
	}
	for _, cursor := range []string{web.Cursor("one"), web.Cursor("a", "b", "c"), web.Cursor("a", "\xff"), web.Cursor("a", "b") + "%0A", "nonsense!", web.Cursor("a", "b") + "="} {
		if w := call(t, s, http.MethodGet, "/api/things?cursor="+cursor, ""); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", cursor, w.Code)
		}
	}
}
