package web

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// Quality returns the weight that a client gives to something in a header such as Accept-Encoding (RFC 9110, 12.4.2): the
// weight of the first of names that the header has. List names from the exact one to the wildcard. named is false when the
// header has none of them.
func Quality(h http.Header, header string, names ...string) (q float64, named bool) {
	list := strings.Join(h.Values(header), ",")
	for _, name := range names {
		for item := range strings.SplitSeq(list, ",") {
			bare, _, _ := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(bare), name) { // true of most items, which need not be parsed then
				continue
			}
			value, params, err := mime.ParseMediaType(item)
			if err != nil || value != name {
				continue
			}
			weight, given := params["q"]
			if !given {
				return 1, true
			}
			if q, err = strconv.ParseFloat(weight, 64); err == nil && q >= 0 && q <= 1 {
				return q, true
			}
			return 0, true
		}
	}
	return 0, false
}

// accepts returns the weight that a client gives to a media type. Without an Accept header all types are equal.
func accepts(r *http.Request, media string) float64 {
	if len(r.Header.Values(echo.HeaderAccept)) == 0 {
		return 1
	}
	major, _, _ := strings.Cut(media, "/")
	q, _ := Quality(r.Header, echo.HeaderAccept, media, major+"/*", "*/*")
	return q
}

// WantsPage reports whether a client prefers a page to a Problem: browsers do when a person opens an address, scripts do
// not.
func WantsPage(r *http.Request) bool {
	return accepts(r, echo.MIMETextHTML) > max(accepts(r, ProblemType), accepts(r, echo.MIMEApplicationJSON))
}

// WantsStream reports whether a request names server-sent events in Accept, and does not prefer JSON.
func WantsStream(r *http.Request) bool {
	q, named := Quality(r.Header, echo.HeaderAccept, StreamType)
	return named && q > 0 && q >= accepts(r, echo.MIMEApplicationJSON)
}

// TakesStream reports whether a client accepts server-sent events, for a path that has no other answer.
func TakesStream(r *http.Request) bool { return accepts(r, StreamType) > 0 }
