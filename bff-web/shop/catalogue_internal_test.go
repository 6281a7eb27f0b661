package shop

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTheKeptPartOfTheCatalogueIsBounded(t *testing.T) {
	t.Parallel()
	k := newShelf()
	for n := range 100 {
		page := Catalogue{AsOf: time.Now()}
		for i := range 100 {
			page.Items = append(page.Items, Product{SKU: fmt.Sprint(n*100 + i), Description: strings.Repeat("x", 8000)})
		}
		k.keep(page)
	}
	k.products.CleanUp()
	if n := k.products.EstimatedSize(); n == 0 || n > productsBytes/8000 {
		t.Errorf("%d products are kept", n)
	}
}
