package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

const (
	settledMost   = 100                     // dead letters of one request
	settledWithin = 3500 * time.Millisecond // the gateway waits 5 s for the answer
)

// settled is what has become of one of several dead letters. Status is that of the request for this letter: 204 if it was
// replayed or discarded, 404 if it is not there, and 503 if that was not done in time and should be asked for again.
type settled struct {
	ID     string `json:"id"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// settleSeveral replays or discards dead letters one after the other, because a service does one at a time. What is not done in
// time may be asked for again: to repeat a request does no harm.
func (s *Pages) settleSeveral(ctx context.Context, header http.Header, ids []string, action string, in any) []settled {
	ctx, cancel := context.WithTimeout(ctx, settledWithin)
	defer cancel()
	all := make([]settled, len(ids))
	for i, id := range ids {
		all[i] = settled{ID: id, Status: http.StatusServiceUnavailable, Detail: "there was no time left for it"}
		switch err := s.settleOne(ctx, header, id, action, in); {
		case err == nil:
			all[i] = settled{ID: id, Status: http.StatusNoContent}
		case ctx.Err() == nil:
			all[i] = settled{ID: id, Status: upstream.StatusOf(err), Detail: upstream.ReasonOf(err)}
		}
	}
	return all
}

// postSettled is the API for several dead letters.
func (s *Pages) postSettled(action string) echo.HandlerFunc {
	return func(c echo.Context) error {
		var request struct {
			IDs    []string `json:"ids"`
			Reason string   `json:"reason"`
		}
		if err := web.JSON(c, &request); err != nil {
			return err
		}
		var fields fault.Fields
		fields.Check(len(request.IDs) > 0, "ids", "must not be empty")
		fields.Check(len(request.IDs) <= settledMost, "ids", "must be at most %d, are %d", settledMost, len(request.IDs))
		var in any
		if action == "discard" {
			in = map[string]string{"reason": web.Text(&fields, "reason", request.Reason, 1, 500)}
		} else {
			fields.Check(request.Reason == "", "reason", "is only for a discard")
		}
		if err := fields.Err(); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, map[string]any{"items": s.settleSeveral(c.Request().Context(), upstream.Headers(c), request.IDs, action, in)})
	}
}

// postSelected replays or discards the dead letters that are ticked on the page, or all that it shows.
func (s *Pages) postSelected(c echo.Context) error {
	form, err := c.FormParams()
	if err != nil {
		return fault.New(fault.Malformed, "the form cannot be read").Because(err)
	}
	ids := form["id"]
	if form.Get("all") != "" {
		ids = form["shown"]
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	action, reason := form.Get("do"), strings.TrimSpace(form.Get("reason"))
	var in any
	switch {
	case len(ids) == 0:
		return site.SeeOther(c, site.WithNotice(c, site.SameList(c, "/operations/dead-letters"), "none-selected"))
	case len(ids) > settledMost:
		return fault.New(fault.Invalid, "at most %d dead letters can be settled at a time", settledMost)
	case action == "discard" && reason == "":
		return fault.New(fault.Invalid, "a reason is needed")
	case action == "discard":
		in = map[string]string{"reason": reason}
	case action != "replay":
		return fault.New(fault.Invalid, "what is to be done was not said")
	}
	told := summary(action, s.settleSeveral(c.Request().Context(), upstream.AsVisitor(c), ids, action, in))
	return site.SeeOther(c, site.WithNotice(c, site.SameList(c, "/operations/dead-letters"), "several", told))
}

// summary says what has become of several dead letters.
func summary(action string, all []settled) string {
	done, gone, left, why := 0, 0, 0, ""
	for _, one := range all {
		switch one.Status {
		case http.StatusNoContent:
			done++
		case http.StatusNotFound:
			gone++
		default:
			left, why = left+1, cmp.Or(why, one.Detail)
		}
	}
	told := fmt.Sprintf("Thrown away: %d.", done)
	if action == "replay" {
		told = fmt.Sprintf("Back in their queues: %d.", done)
	}
	if gone > 0 {
		told += fmt.Sprintf(" No longer here: %d.", gone)
	}
	if left > 0 {
		told += fmt.Sprintf(" Not done: %d. %s", left, upstream.Sentence(why))
	}
	return strings.TrimSpace(told)
}
