package console

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"

	"example.com/orderflow/bff-web/internal/cart"
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/bff-web/shop"
	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

const pageOfStock = 50 // products

// holding is a product as inventory shows it to operators.
type holding struct {
	SKU             string `json:"sku"`
	Name            string `json:"name"`
	Available       int    `json:"available"`
	Reserved        int    `json:"reserved"`
	Backordered     int    `json:"backordered"`
	OnOrder         int    `json:"on_order"`
	Kept            int    `json:"kept"` // part of available, kept for orders that wait
	ReorderPoint    int    `json:"reorder_point"`
	ReorderQuantity int    `json:"reorder_quantity"`
	Retired         bool   `json:"retired"`
}

// Low reports whether it is time to reorder.
func (h holding) Low() bool { return h.Available <= h.ReorderPoint }

// stockScreen is a page of the stock.
type stockScreen struct {
	Items       []holding `json:"items"`
	Next        string    `json:"next_cursor"`
	Words       string
	Key         string // Idempotency-Key of the form that adds units
	Here        string // address of this page, to come back to
	First, More string // addresses; empty: there is no such page
}

func (s *Pages) getStockPage(c echo.Context) error {
	const path = "/operations/stock"
	q := shop.QuestionOf(c)
	q.Sort = "" // by SKU
	ask := q.Address()
	ask.Set("limit", strconv.Itoa(pageOfStock))
	screen, err := upstream.Read[stockScreen](c, s.inventory, "/api/stock?"+ask.Encode())
	if err != nil {
		return err
	}
	screen.Words, screen.Key, screen.Here = q.Words, rand.Text(), q.At(path, q.Cursor)
	screen.First, screen.More = shop.Around(q, path, screen.Next)
	return s.pages.Render(c, http.StatusOK, "stock.html", screen)
}

// postStock adds units to the stock, once, however often the button is pressed.
func (s *Pages) postStock(c echo.Context) error {
	add, err := strconv.Atoi(c.FormValue("add"))
	name := c.FormValue("sku")
	told := site.Clip(cmp.Or(strings.TrimSpace(c.FormValue("name")), name))
	if err != nil || !cart.SKU.MatchString(name) {
		return fault.New(fault.Invalid, "how many is not a number")
	}
	if err := upstream.Tell(c, s.inventory, "/api/products/"+name+"/stock", c.FormValue("key"), map[string]int{"add": add}, nil); err != nil {
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, site.SameList(c, "/operations/stock"), "stocked", told)+"#"+name)
}
