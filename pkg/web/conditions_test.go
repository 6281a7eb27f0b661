package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

func TestAChangeIsRefusedWhenTheStateIsNotAsItsSenderSawIt(t *testing.T) {
	t.Parallel()
	const fine = fault.Kind("")
	for name, c := range map[string]struct {
		header http.Header
		there  fault.Kind // the error when there is something, with the tag a,1
		none   fault.Kind // and the error when there is nothing
	}{
		"no condition":              {http.Header{}, fine, fine},
		"the tag":                   {http.Header{"If-Match": {`"a,1"`}}, fine, fault.Stale},
		"an old tag":                {http.Header{"If-Match": {`"b"`}}, fault.Stale, fault.Stale},
		"part of the tag":           {http.Header{"If-Match": {`"a"`}}, fault.Stale, fault.Stale},
		"a weak tag":                {http.Header{"If-Match": {`W/"a,1"`}}, fault.Stale, fault.Stale},
		"one of several":            {http.Header{"If-Match": {`"b", W/"a,1" ,"a,1"`}}, fine, fault.Stale},
		"one in the second line":    {http.Header{"If-Match": {`"b"`, `"a,1"`}}, fine, fault.Stale},
		"empty members":             {http.Header{"If-Match": {`, ,"a,1",`}}, fine, fault.Stale},
		"anything":                  {http.Header{"If-Match": {`*`}}, fine, fault.Stale},
		"nothing at all":            {http.Header{"If-Match": {``}}, fault.Stale, fault.Stale},
		"only a new one":            {http.Header{"If-None-Match": {`*`}}, fault.Stale, fine},
		"not this one":              {http.Header{"If-None-Match": {`"a,1"`}}, fault.Stale, fine},
		"not this one, weakly":      {http.Header{"If-None-Match": {`"b"`, `W/"a,1"`}}, fault.Stale, fine},
		"not another one":           {http.Header{"If-None-Match": {`"b"`}}, fine, fine},
		"both, and both hold":       {http.Header{"If-Match": {`"a,1"`}, "If-None-Match": {`"b"`}}, fine, fault.Stale},
		"both, and the second not":  {http.Header{"If-Match": {`"a,1"`}, "If-None-Match": {`"a,1"`}}, fault.Stale, fault.Stale},
		"no quotes":                 {http.Header{"If-Match": {`a,1`}}, fault.Malformed, fault.Malformed},
		"half a quote":              {http.Header{"If-Match": {`"a,1`}}, fault.Malformed, fault.Malformed},
		"no comma":                  {http.Header{"If-Match": {`"b" "a,1"`}}, fault.Malformed, fault.Malformed},
		"a small w":                 {http.Header{"If-Match": {`w/"a,1"`}}, fault.Malformed, fault.Malformed},
		"anything and a tag":        {http.Header{"If-Match": {`*, "a,1"`}}, fault.Malformed, fault.Malformed},
		"no quotes, for a new one":  {http.Header{"If-None-Match": {`b`}}, fault.Malformed, fault.Malformed},
		"an unknown one and a star": {http.Header{"If-None-Match": {`"b"`, `*`}}, fault.Malformed, fault.Malformed},
	} {
		r := httptest.NewRequest(http.MethodPut, "/", nil)
		r.Header = c.header
		for exists, want := range map[bool]fault.Kind{true: c.there, false: c.none} {
			err := web.Condition(r, exists, func(tag string) bool { return tag == "a,1" })
			if (err == nil) != (want == fine) || err != nil && fault.KindOf(err) != want {
				t.Errorf("%s, exists: %t: %v, want %q", name, exists, err, want)
			}
		}
	}
}

func TestACopyIsGoodWhenAnyLineNamesIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		fresh bool
	}{
		"none":               {nil, false},
		"the tag":            {[]string{`"a,1"`}, true},
		"weakly":             {[]string{`W/"a,1"`}, true},
		"in the second line": {[]string{`"b"`, `"c", "a,1"`}, true},
		"anything":           {[]string{`*`}, true},
		"another":            {[]string{`"a"`, `"1"`}, false},
		"without quotes":     {[]string{`a,1`}, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["If-None-Match"] = c.lines
		w := httptest.NewRecorder()
		fresh, err := web.ETag(echo.New().NewContext(r, w), "a,1")
		if fresh != c.fresh || err != nil || w.Header().Get("ETag") != `"a,1"` || c.fresh && w.Code != http.StatusNotModified {
			t.Errorf("%s: %t, %v, %d", name, fresh, err, w.Code)
		}
	}
}
