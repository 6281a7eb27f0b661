package demo

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/local/shop"
)

func TestEachChapterGetsAProductThatFitsIt(t *testing.T) {
	t.Parallel()
	rare := shop.Product{SKU: "RARE", Available: 3}
	gone := shop.Product{SKU: "GONE", Available: 0}
	bulk := shop.Product{SKU: "BULK", Available: 20, Reorder: shop.Reorder{ReorderPoint: 5, ReorderQuantity: 50}}
	mugs := shop.Product{SKU: "MUGS", Available: 200, Reorder: shop.Reorder{ReorderPoint: 20, ReorderQuantity: 100}}
	hats := shop.Product{SKU: "HATS", Available: 100}
	for _, test := range []struct {
		name                           string
		catalogue                      []shop.Product
		outOfStock, backordered, other []string // SKUs that fit
	}{
		{"one for each", []shop.Product{mugs, hats, rare, bulk}, []string{"RARE"}, []string{"BULK"}, []string{"MUGS", "HATS"}},
		{"nothing left of one", []shop.Product{gone, bulk, mugs, hats}, []string{"GONE"}, []string{"BULK"}, []string{"MUGS", "HATS"}},
		{"all are reordered", []shop.Product{bulk, mugs, {SKU: "BOWL", Available: 90, Reorder: shop.Reorder{ReorderQuantity: 1}}}, []string{"BULK"}, []string{"BOWL"}, []string{"MUGS"}},
		{"too few products", []shop.Product{mugs, rare}, nil, nil, nil},
		{"no product with plenty", []shop.Product{gone, bulk, rare}, nil, nil, nil},
		{"nothing is reordered", []shop.Product{hats, rare, gone}, nil, nil, nil},
		{"an empty shop", nil, nil, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			story := chapters()
			err := cast(story, test.catalogue)
			if test.other == nil {
				if !errors.Is(err, errCatalogue) {
					t.Errorf("cast returned %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range story {
				fit := test.other
				if c.beyond && c.backorder {
					fit = test.backordered
				} else if c.beyond {
					fit = test.outOfStock
				}
				if !slices.Contains(fit, c.sku) {
					t.Errorf("%q is about %s, want one of %v", c.title, c.sku, fit)
				}
				p := test.catalogue[slices.IndexFunc(test.catalogue, func(p shop.Product) bool { return p.SKU == c.sku })]
				if more := c.quantity > p.Available; more != c.beyond {
					t.Errorf("%q orders %d of %d", c.title, c.quantity, p.Available)
				}
			}
		})
	}
}

func TestTheStoryTakesLessOfAProductThanItHasRoomFor(t *testing.T) {
	t.Parallel()
	sum := 0
	for _, c := range chapters() {
		if !c.beyond {
			sum += c.quantity
		}
	}
	if sum > roomToMove { // all of them may get the same product
		t.Errorf("the story takes %d, and there may be only %d above the reorder point", sum, roomToMove)
	}
}

func TestDifferencesAreNamed(t *testing.T) {
	t.Parallel()
	story := chapters()
	good := result{chapter: story[0], got: story[0].want}
	other := result{chapter: story[1], got: outcome{status: "delivered", payment: "taken"}}
	broken := result{chapter: story[2], err: errors.New("503 from the shop")}
	if got := compare([]result{good}); len(got) != 0 {
		t.Errorf("an order that ended as it should differs: %v", got)
	}
	got := strings.Join(compare([]result{good, other, broken}), "\n")
	for _, want := range []string{"declined: delivered, payment taken, and should be cancelled (payment_declined)", "out of stock: 503 from the shop"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestTheStockIsCountedToTheUnit(t *testing.T) {
	t.Parallel()
	before := []shop.Product{{SKU: "A", Available: 50}, {SKU: "B", Available: 5}, {SKU: "C", Available: 7}}
	results := []result{
		{chapter: chapter{sku: "A", quantity: 2}, got: outcome{status: "delivered"}},
		{chapter: chapter{sku: "A", quantity: 3}, got: outcome{status: "cancelled"}},
		{chapter: chapter{sku: "B", quantity: 9, beyond: true}, got: outcome{status: "delivered"}},
	}
	for _, test := range []struct {
		name  string
		after int
		fault string
	}{
		{"what was taken back is there again", 48, ""},
		{"what was taken back is lost", 45, "stock of A: 45, and should be 50 - 2 = 48"},
		{"what was delivered is still there", 50, "stock of A: 50, and should be 50 - 2 = 48"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_ = json.NewEncoder(w).Encode(map[string]any{"items": []map[string]any{
					{"sku": "A", "available": test.after}, {"sku": "B", "available": 100}, {"sku": "C", "available": 7},
				}})
			}))
			defer gateway.Close()
			stock, differences := balance(t.Context(), &shop.Client{Gateway: gateway.URL}, before, results)
			if got := strings.Join(differences, "; "); got != test.fault {
				t.Errorf("it finds %q, want %q", got, test.fault)
			}
			if want := (holding{before: 50, taken: 2, returned: 3, after: test.after}); len(stock) != 1 || stock[0] != want {
				t.Errorf("it counts %v, want only %v", stock, want)
			}
		})
	}
}

func TestAFileGetsNoControlCharacters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "demo.log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	n := NewNarrator(file)
	story, catalogue := chapters(), []shop.Product{{SKU: "A", Name: "A thing", Reorder: shop.Reorder{ReorderQuantity: 1}}}
	n.catalogue(catalogue)
	n.opening(story, catalogue)
	n.stage(story[0], time.Second, shop.Entry{Status: "placed", What: "order placed"})
	n.request(story[5], time.Second, "accepted")
	n.closing([]result{{chapter: story[0]}})
	n.stock([]holding{{name: "A thing"}})
	n.Invitation("http://localhost:8080")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(string(text), func(r rune) bool { return r < ' ' && r != '\n' }); i >= 0 {
		t.Errorf("there is the character %q after %q", text[i], text[max(0, i-40):i])
	}
}
