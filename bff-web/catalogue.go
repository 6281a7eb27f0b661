package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/pkg/lru"
	"github.com/labstack/echo/v4"
)

const (
	// staleFor is how long an old answer may stand in: afterwards it is worse than none. The gateway's cache has the same.
	staleFor = time.Hour

	skusMost      = 100     // that inventory is asked for at once
	productsKept  = 2000    // the latest that were shown, for pages that show some by their SKUs
	productsBytes = 8 << 20 // of them, about
)

// catalogue is a page of the products that inventory has, or those that were asked for.
type catalogue struct {
	Items []product `json:"items"`
	Next  string    `json:"next_cursor"` // empty: there is nothing after it
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

// shelf is what inventory has told, to stand in for it (cached fallback). It is the same for everybody. However large the
// catalogue is, little of it is kept: the first page in each order, and the products that were shown last.
type shelf struct {
	mu       sync.Mutex
	first    map[string]catalogue    // by how they are sorted
	products *lru.Map[string, known] // by SKU
}

// known is a product as it was at a time.
type known struct {
	product
	asOf time.Time
}

func newShelf() *shelf {
	return &shelf{first: map[string]catalogue{}, products: lru.New[string, known](productsKept, productsBytes)}
}

func (k *shelf) keep(page catalogue) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range page.Items {
		k.products.Put(p.SKU, known{p, page.AsOf}, len(p.SKU)+len(p.Name)+len(p.Description)+len(p.Image)+200)
	}
}

func (k *shelf) keepFirst(sort string, page catalogue) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.first[sort] = page
}

// standIn returns the first page as it was before, if that is not too long ago.
func (k *shelf) standIn(sort string, now time.Time) (page catalogue, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	page, ok = k.first[sort]
	page.Old = true
	return page, ok && now.Sub(page.AsOf) <= staleFor
}

// recall returns those of skus that are known from before. They are as old as the oldest of them.
func (k *shelf) recall(skus []string, now time.Time) (all catalogue) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all.AsOf, all.Old = now, true
	for _, sku := range skus {
		if p, ok := k.products.Get(sku); ok && now.Sub(p.asOf) <= staleFor {
			all.Items = append(all.Items, p.product)
			if p.asOf.Before(all.AsOf) {
				all.AsOf = p.asOf
			}
		}
	}
	return all
}

// ask reads a page of the catalogue.
func (s *site) ask(c echo.Context, query url.Values) (catalogue, error) {
	now := time.Now()
	page, err := read[catalogue](c, s.inventory, "/api/products?"+query.Encode())
	if err != nil {
		return catalogue{}, err
	}
	page.AsOf = now
	s.shelf.keep(page)
	return page, nil
}

// productsOf returns the products of skus that there are, or what is known of them while inventory does not answer. An order
// is accepted at the price that orders knows, whatever is shown here.
func (s *site) productsOf(c echo.Context, skus []string) (all catalogue, err error) {
	skus = slices.Compact(slices.Sorted(slices.Values(skus)))
	all.AsOf = time.Now()
	for some := range slices.Chunk(skus, skusMost) {
		query := url.Values{"sku": some}
		for {
			page, err := s.ask(c, query)
			if err != nil {
				old := s.shelf.recall(skus, all.AsOf)
				s.away(c.Request().Context(), c.Path(), len(old.Items) > 0, err)
				if len(old.Items) == 0 {
					return catalogue{}, err
				}
				return old, nil
			}
			all.Items = append(all.Items, page.Items...)
			if page.Next == "" {
				break
			}
			query.Set("cursor", page.Next)
		}
	}
	return all, nil
}

// shopPage returns a page of the shop. While inventory does not answer, there is the first page as it was before.
func (s *site) shopPage(c echo.Context, q question) (catalogue, error) {
	page, err := s.ask(c, q.values(pageOfShop))
	first := q.Words == "" && q.Cursor == ""
	switch {
	case err == nil && first:
		s.shelf.keepFirst(q.Sort, page)
		return page, nil
	case err == nil || !first || statusOf(err) != http.StatusServiceUnavailable:
		return page, err
	}
	old, ok := s.shelf.standIn(q.Sort, time.Now())
	s.away(c.Request().Context(), c.Path(), ok, err)
	if !ok {
		return catalogue{}, err
	}
	return old, nil
}

func (s *site) away(ctx context.Context, route string, standsIn bool, err error) {
	s.log.WarnContext(ctx, "inventory does not answer", "route", route, "stands_in", standsIn, "error", err)
}
