package shop

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

// Product is the part of inventory's product that pages show.
type Product struct {
	SKU             string         `json:"sku"`
	Name            string         `json:"name"`
	Description     string         `json:"description"`
	Image           string         `json:"image"`
	Price           messages.Money `json:"price"`
	Available       int            `json:"available"`
	Backorderable   bool           `json:"backorderable"`    // an order may wait for it, because more will come
	ReorderQuantity int            `json:"reorder_quantity"` // the only such field of the previous release
	Retired         bool           `json:"retired"`          // it is not sold any more
}

const fewLeft = 5

// Stock says in a few words whether the product is available. Its style is named after State.
func (p Product) Stock() string {
	switch p.State() {
	case "plenty":
		return "In stock"
	case "few":
		return fmt.Sprintf("Only %d left", p.Available)
	case "coming":
		return "Sold out for now"
	}
	return "Sold out"
}

// State returns plenty, few, coming or none.
func (p Product) State() string {
	switch {
	case p.Available > fewLeft:
		return "plenty"
	case p.Available > 0:
		return "few"
	case p.Coming():
		return "coming"
	}
	return "none"
}

// Coming reports whether more units will come, so that an order may wait for them.
func (p Product) Coming() bool { return p.Backorderable || p.ReorderQuantity > 0 }

// Wanted reports whether the product can be put into a cart: it is available, or will be again.
func (p Product) Wanted() bool { return p.State() != "none" }

const (
	pageOfShop = 24  // products: this fills rows of two, three and four
	wordsMost  = 100 // characters of a search, as in inventory
)

// sorting is an order of the shop's products.
type sorting struct{ Name, Label string }

var sortings = []sorting{{"name", "Name"}, {"price", "Price, lowest first"}, {"-price", "Price, highest first"}, {"newest", "Newest first"}}

// Question is what the address of a page asks for. Invalid parts are ignored.
type Question struct{ Words, Sort, Cursor string }

// QuestionOf reads the address of a page.
func QuestionOf(c echo.Context) Question {
	q := Question{Words: strings.TrimSpace(c.QueryParam("q")), Sort: sortings[0].Name, Cursor: c.QueryParam("cursor")}
	if runes := []rune(strings.ToValidUTF8(q.Words, "")); len(runes) > wordsMost {
		q.Words = string(runes[:wordsMost])
	}
	if sort := c.QueryParam("sort"); slices.ContainsFunc(sortings, func(s sorting) bool { return s.Name == sort }) {
		q.Sort = sort
	}
	return q
}

// values returns the query for inventory, for a page with the given number of products.
func (q Question) values(limit int) url.Values {
	v := q.Address()
	v.Set("limit", strconv.Itoa(limit))
	v.Set("sort", q.Sort)
	return v
}

// Address returns the query of a page's address, without default values.
func (q Question) Address() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"q": q.Words, "sort": q.Sort, "cursor": q.Cursor} {
		if value != "" && value != sortings[0].Name {
			v.Set(name, value)
		}
	}
	return v
}

// At returns the address of another page of the same list; an empty cursor means the first page.
func (q Question) At(path, cursor string) string {
	q.Cursor = cursor
	if v := q.Address(); len(v) > 0 {
		path += "?" + v.Encode()
	}
	return path
}

// shopScreen is the front page.
type shopScreen struct {
	Catalogue
	Question
	Sortings    []sorting
	First, More string // addresses; empty: there is no such page
}

// getShop serves the front page.
func (s *Pages) getShop(c echo.Context) error {
	q := QuestionOf(c)
	page, err := s.shopPage(c, q)
	if err != nil {
		return err
	}
	screen := shopScreen{Catalogue: page, Question: q, Sortings: sortings}
	screen.First, screen.More = Around(q, "/", page.Next)
	return s.pages.Render(c, http.StatusOK, "shop.html", screen)
}

// Around returns the addresses of the first page and of the next one.
func Around(q Question, path, next string) (first, more string) {
	if q.Cursor != "" {
		first = q.At(path, "")
	}
	if next != "" {
		more = q.At(path, next)
	}
	return first, more
}
