package shop

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/upstream"
	"github.com/labstack/echo/v4"
	"github.com/maypok86/otter/v2"
)

const (
	// staleFor is how long an old answer of inventory may be shown. The gateway's cache has the same limit.
	staleFor = time.Hour

	skusMost      = 100     // in one request to inventory
	productsBytes = 8 << 20 // approximate size of the products that are kept, for pages that need products by their SKUs
)

// Catalogue is a page of the products that inventory has, or the products that were asked for.
type Catalogue struct {
	Items []Product `json:"items"`
	Next  string    `json:"next_cursor"` // empty: this is the last page
	AsOf  time.Time `json:"-"`
	Old   bool      `json:"-"` // inventory does not answer; this is an earlier answer
}

// BySKU returns the products by their SKUs.
func (all Catalogue) BySKU() map[string]Product {
	found := make(map[string]Product, len(all.Items))
	for _, p := range all.Items {
		found[p.SKU] = p
	}
	return found
}

// shelf keeps answers of inventory for times when it does not answer (cached fallback). They are the same for all visitors.
// Only a small part of the catalogue is kept: the first page in each order, and the products that are shown most.
type shelf struct {
	mu       sync.Mutex
	first    map[string]Catalogue        // by sort
	products *otter.Cache[string, known] // by SKU
}

// known is a product, and the time when inventory answered with it.
type known struct {
	Product
	asOf time.Time
}

func newShelf() *shelf {
	return &shelf{first: map[string]Catalogue{}, products: otter.Must(&otter.Options[string, known]{
		MaximumWeight: productsBytes,
		Weigher: func(_ string, p known) uint32 {
			return uint32(len(p.SKU) + len(p.Name) + len(p.Description) + len(p.Image) + 200)
		},
	})}
}

func (k *shelf) keep(page Catalogue) {
	for _, p := range page.Items {
		k.products.Set(p.SKU, known{p, page.AsOf})
	}
}

func (k *shelf) keepFirst(sort string, page Catalogue) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.first[sort] = page
}

// standIn returns an earlier first page, if it is not too old.
func (k *shelf) standIn(sort string, now time.Time) (page Catalogue, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	page, ok = k.first[sort]
	page.Old = true
	return page, ok && now.Sub(page.AsOf) <= staleFor
}

// recall returns the products with the given SKUs that are known from earlier answers. AsOf is the time of the oldest.
func (k *shelf) recall(skus []string, now time.Time) (all Catalogue) {
	all.AsOf, all.Old = now, true
	for _, sku := range skus {
		if p, ok := k.products.GetIfPresent(sku); ok && now.Sub(p.asOf) <= staleFor {
			all.Items = append(all.Items, p.Product)
			if p.asOf.Before(all.AsOf) {
				all.AsOf = p.asOf
			}
		}
	}
	return all
}

// ask reads a page of the catalogue.
func (s *Pages) ask(c echo.Context, query url.Values) (Catalogue, error) {
	now := time.Now()
	page, err := upstream.Read[Catalogue](c, s.inventory, "/api/products?"+query.Encode())
	if err != nil {
		return Catalogue{}, err
	}
	page.AsOf = now
	s.shelf.keep(page)
	return page, nil
}

// ProductsOf returns the products with the given SKUs, as far as they exist. While inventory does not answer, it returns those
// that are known from before. An order is accepted at the price that orders knows, whatever is shown here.
func (s *Pages) ProductsOf(c echo.Context, skus []string) (all Catalogue, err error) {
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
					return Catalogue{}, err
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

// shopPage returns a page of the shop. While inventory does not answer, it can return an earlier first page.
func (s *Pages) shopPage(c echo.Context, q Question) (Catalogue, error) {
	page, err := s.ask(c, q.values(pageOfShop))
	first := q.Words == "" && q.Cursor == ""
	switch {
	case err == nil && first:
		s.shelf.keepFirst(q.Sort, page)
		return page, nil
	case err == nil || !first || upstream.StatusOf(err) != http.StatusServiceUnavailable:
		return page, err
	}
	old, ok := s.shelf.standIn(q.Sort, time.Now())
	s.away(c.Request().Context(), c.Path(), ok, err)
	if !ok {
		return Catalogue{}, err
	}
	return old, nil
}

func (s *Pages) away(ctx context.Context, route string, standsIn bool, err error) {
	s.log.WarnContext(ctx, "inventory does not answer", "route", route, "stands_in", standsIn, "error", err)
}
