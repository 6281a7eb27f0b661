package main

import (
	"time"

	"github.com/labstack/echo/v4"
)

// staleFor is how long an old catalogue may stand in: afterwards it is worse than none. The gateway's cache has the same.
const staleFor = time.Hour

// catalogue is what inventory answers.
type catalogue struct {
	Items []product `json:"items"`
	AsOf  time.Time `json:"-"`
	Old   bool      `json:"-"` // inventory does not answer: this is what it said before
}

func (all catalogue) bySKU() map[string]product {
	found := make(map[string]product, len(all.Items))
	for _, p := range all.Items {
		found[p.SKU] = p
	}
	return found
}

// products asks inventory for the catalogue, or else returns the last one (cached fallback). It is the same for everybody,
// so there is one to keep; an order is accepted at the price that orders knows, whatever is shown here.
func (s *site) products(c echo.Context) (catalogue, error) {
	now := time.Now()
	all, err := read[catalogue](c, s.inventory, "/api/products")
	if err == nil {
		all.AsOf = now
		s.shelf.Store(&all)
		return all, nil
	}
	last := s.shelf.Load()
	s.log.WarnContext(c.Request().Context(), "inventory does not answer", "route", c.Path(), "stands_in", last != nil, "error", err)
	if last == nil || now.Sub(last.AsOf) > staleFor {
		return catalogue{}, err
	}
	old := *last
	old.Old = true
	return old, nil
}
