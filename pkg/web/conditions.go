package web

import (
	"net/http"
	"slices"
	"strings"

	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

// ETag answers a conditional GET. It sets the tag, and reports whether the caller's copy is still good: then 304 has been
// sent and the handler is done (RFC 9110, 13.1.2).
func ETag(c echo.Context, tag string) (fresh bool, err error) {
	c.Response().Header().Set("ETag", `"`+tag+`"`)
	theirs, _ := tagsOf(c.Request(), "If-None-Match")
	if theirs.any || slices.ContainsFunc(theirs.tags, func(t entityTag) bool { return t.value == tag }) {
		return true, c.NoContent(http.StatusNotModified)
	}
	return false, nil
}

// Condition checks the If-Match and If-None-Match of a request that changes something. It refuses the request with 412 when
// the state is not the one that its sender saw (RFC 9110, 13.2.2). exists says whether there is something yet, and current
// whether a tag that ETag gave out is still the current one.
func Condition(r *http.Request, exists bool, current func(tag string) bool) error {
	match, err := tagsOf(r, "If-Match")
	if err != nil {
		return err
	}
	noneMatch, err := tagsOf(r, "If-None-Match")
	if err != nil {
		return err
	}
	same := func(t entityTag) bool { return !t.weak && exists && current(t.value) }
	alike := func(t entityTag) bool { return exists && current(t.value) }
	switch {
	case match.given && !(match.any && exists) && !slices.ContainsFunc(match.tags, same):
		return fault.New(fault.Stale, "If-Match does not hold: this has changed, or is not there; get it, and decide anew")
	case noneMatch.given && (noneMatch.any && exists || slices.ContainsFunc(noneMatch.tags, alike)):
		return fault.New(fault.Stale, "If-None-Match does not hold: this is there already")
	}
	return nil
}

type entityTag struct {
	value string
	weak  bool
}

// conditions are the values of one of the two headers.
type conditions struct {
	given bool
	any   bool // *
	tags  []entityTag
}

// tagsOf reads a list of tags, which may be spread over several lines (RFC 9110, 8.8.3). A tag may contain a comma.
func tagsOf(r *http.Request, header string) (conditions, error) {
	lines := r.Header.Values(header)
	c := conditions{given: len(lines) > 0}
	rest := strings.Trim(strings.Join(lines, ","), " \t,")
	if rest == "*" {
		c.any = true
		return c, nil
	}
	for rest != "" {
		opaque, weak := strings.CutPrefix(rest, "W/")
		opaque, quoted := strings.CutPrefix(opaque, `"`)
		value, after, closed := strings.Cut(opaque, `"`)
		rest = strings.TrimLeft(after, " \t,")
		if !quoted || !closed || rest != "" && !strings.Contains(after[:len(after)-len(rest)], ",") {
			return conditions{given: true}, fault.New(fault.Malformed, `%s must be * or tags in quotes, such as "5f2c", with commas between them`, header)
		}
		c.tags = append(c.tags, entityTag{value, weak})
	}
	return c, nil
}
