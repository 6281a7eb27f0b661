package main

import (
	"fmt"
	"net/http"
	"time"
)

// deprecations has the operations that will be removed, by method and pattern of the table of routes. api/openapi.yaml says the
// same, and a test compares them. docs/compatibility.md says when an operation may come here, and when it may go.
var deprecations = map[string]deprecation{}

// deprecation says that an operation will be removed.
type deprecation struct {
	since   time.Time // new clients should not use it from then on
	sunset  time.Time // it may be gone from then on
	instead string    // the path that replaces it; empty: there is none
}

// announce tells the client by the header fields of RFC 9745, RFC 8594 and RFC 8288. They are in each answer of the operation,
// also in errors.
func (d deprecation) announce(h http.Header) {
	h.Set("Deprecation", fmt.Sprintf("@%d", d.since.Unix()))
	h.Set("Sunset", d.sunset.UTC().Format(http.TimeFormat))
	h.Add("Link", `</docs/api>; rel="deprecation"; type="text/html"`)
	if d.instead != "" {
		h.Add("Link", fmt.Sprintf(`<%s>; rel="successor-version"`, d.instead))
	}
}
