package main

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

const (
	deadLettersDefault = 50
	deadLettersMost    = 200
)

// deadLetter is an item of a service's list. It is passed on as it came; two of its fields put it in its place.
type deadLetter struct {
	raw    json.RawMessage
	ID     string    `json:"id"`
	Failed time.Time `json:"last_failed_at"`
}

func (d *deadLetter) UnmarshalJSON(text []byte) error {
	type fields deadLetter
	if err := json.Unmarshal(text, (*fields)(d)); err != nil {
		return err
	}
	d.raw = slices.Clone(text)
	return nil
}

// getDeadLetters lists what all services have given up, the latest first. Whoever does not answer is named as missing: an
// operator needs the list most when something is wrong.
func (s *site) getDeadLetters(c echo.Context) error {
	limit := deadLettersDefault
	if q := c.QueryParam("limit"); q != "" {
		n, err := strconv.Atoi(q)
		if err != nil || n < 1 || n > deadLettersMost {
			return fault.New(fault.Malformed, "limit must be a number from 1 to %d", deadLettersMost)
		}
		limit = n
	}
	answers := make([]struct {
		Items []deadLetter `json:"items"`
		Total int          `json:"total"`
		err   error
	}, len(s.services))
	ctx, header := c.Request().Context(), headers(c)
	var asking sync.WaitGroup
	for i, service := range s.services {
		asking.Go(func() {
			path := "/api/operations/dead-letters?limit=" + strconv.Itoa(limit)
			_, answers[i].err = service.client.JSON(ctx, http.MethodGet, path, header, nil, &answers[i])
		})
	}
	asking.Wait()

	var all []deadLetter
	total, missing := 0, []string{}
	for i, service := range s.services {
		if err := answers[i].err; err != nil {
			s.log.WarnContext(ctx, "list dead letters", "service", service.name, "error", err)
			missing = append(missing, service.name)
			continue
		}
		all = append(all, answers[i].Items...)
		total += answers[i].Total
	}
	slices.SortFunc(all, func(a, b deadLetter) int {
		return cmp.Or(b.Failed.Compare(a.Failed), cmp.Compare(a.ID, b.ID))
	})
	items := make([]json.RawMessage, min(limit, len(all)))
	for i := range items {
		items[i] = all[i].raw
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, map[string]any{"items": items, "total": total, "missing": missing})
}
