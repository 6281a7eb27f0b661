package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

const (
	deadLettersDefault = 50
	deadLettersMost    = 200
)

// deadLetter is an item of a service's list. The API passes it on as it came; the console shows these fields.
type deadLetter struct {
	raw         json.RawMessage
	ID          string          `json:"id"`
	Queue       string          `json:"queue"`
	Kind        string          `json:"kind"`
	Subject     string          `json:"subject"`
	Attempts    int             `json:"attempts"`
	Reason      string          `json:"reason"`
	Error       string          `json:"error"`
	FirstFailed time.Time       `json:"first_failed_at"`
	Failed      time.Time       `json:"last_failed_at"`
	Body        json.RawMessage `json:"body"`
}

func (d *deadLetter) UnmarshalJSON(text []byte) error {
	type fields deadLetter
	if err := json.Unmarshal(text, (*fields)(d)); err != nil {
		return err
	}
	d.raw = slices.Clone(text)
	return nil
}

// Payload is the message's body for people to read.
func (d deadLetter) Payload() string {
	var text string
	if json.Unmarshal(d.Body, &text) == nil { // it is no JSON, or only the beginning of some
		return text
	}
	pretty, err := json.MarshalIndent(d.Body, "", "  ")
	if err != nil {
		return string(d.Body)
	}
	return string(pretty)
}

// deadLetters are those of all services, the latest first. Whoever did not answer is named as missing: an operator needs
// the list most when something is wrong.
type deadLetters struct {
	Items   []deadLetter
	Total   int
	Missing []string
}

func (s *site) deadLetters(ctx context.Context, header http.Header, limit int) deadLetters {
	answers := make([]struct {
		Items []deadLetter `json:"items"`
		Total int          `json:"total"`
		err   error
	}, len(s.services))
	var asking sync.WaitGroup
	for i, service := range s.services {
		asking.Go(func() {
			path := "/api/operations/dead-letters?limit=" + strconv.Itoa(limit)
			_, answers[i].err = service.client.JSON(ctx, http.MethodGet, path, header, nil, &answers[i])
		})
	}
	asking.Wait()

	all := deadLetters{Missing: []string{}}
	for i, service := range s.services {
		if err := answers[i].err; err != nil {
			s.log.WarnContext(ctx, "list dead letters", "service", service.name, "error", err)
			all.Missing = append(all.Missing, service.name)
			continue
		}
		all.Items = append(all.Items, answers[i].Items...)
		all.Total += answers[i].Total
	}
	slices.SortFunc(all.Items, func(a, b deadLetter) int {
		return cmp.Or(b.Failed.Compare(a.Failed), cmp.Compare(a.ID, b.ID))
	})
	all.Items = all.Items[:min(limit, len(all.Items))]
	return all
}

// getDeadLetters is the list as a part of the API.
func (s *site) getDeadLetters(c echo.Context) error {
	limit := deadLettersDefault
	if q := c.QueryParam("limit"); q != "" {
		n, err := strconv.Atoi(q)
		if err != nil || n < 1 || n > deadLettersMost {
			return fault.New(fault.Malformed, "limit must be a number from 1 to %d", deadLettersMost)
		}
		limit = n
	}
	all := s.deadLetters(c.Request().Context(), headers(c), limit)
	items := make([]json.RawMessage, len(all.Items))
	for i, d := range all.Items {
		items[i] = d.raw
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, map[string]any{"items": items, "total": all.Total, "missing": all.Missing})
}

// getDeadLettersPage is the list as a page. It does not refresh itself: to look is to ask the broker for each message.
func (s *site) getDeadLettersPage(c echo.Context) error {
	return s.pages.render(c, http.StatusOK, "deadletters.html", s.deadLetters(c.Request().Context(), asVisitor(c), deadLettersDefault))
}

func (s *site) postReplay(c echo.Context) error { return s.settle(c, "replay", nil, "replayed") }

func (s *site) postDiscard(c echo.Context) error {
	return s.settle(c, "discard", map[string]string{"reason": strings.TrimSpace(c.FormValue("reason"))}, "discarded")
}

// settle asks the service that a dead letter's id begins with.
func (s *site) settle(c echo.Context, deed string, in any, done string) error {
	const list = "/operations/dead-letters"
	id := c.Param("id")
	owner, _, _ := strings.Cut(id, ".")
	i := slices.IndexFunc(s.services, func(n neighbour) bool { return n.name == owner })
	if i < 0 {
		return echo.ErrNotFound
	}
	err := tell(c, s.services[i].client, "/api"+list+"/"+url.PathEscape(id)+"/"+deed, "", in, nil)
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == http.StatusNotFound {
		return seeOther(c, withNotice(c, list, "gone"))
	}
	if err != nil {
		return err
	}
	return seeOther(c, withNotice(c, list, done))
}
