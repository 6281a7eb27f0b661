package main

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

// product is what the pages show of inventory's.
type product struct {
	SKU             string         `json:"sku"`
	Name            string         `json:"name"`
	Description     string         `json:"description"`
	Image           string         `json:"image"`
	Price           messages.Money `json:"price"`
	Available       int            `json:"available"`
	Backorderable   bool           `json:"backorderable"`    // an order may wait for it: more will come
	ReorderQuantity int            `json:"reorder_quantity"` // all that the release before tells of it
}

const fewLeft = 5

// Stock says in a word or two whether the product can be had; its style is named after State.
func (p product) Stock() string {
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

// State is plenty, few, coming or none.
func (p product) State() string {
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

// Coming reports whether more of it will come, so that an order may wait for it.
func (p product) Coming() bool { return p.Backorderable || p.ReorderQuantity > 0 }

// Wanted reports whether it can be put into a cart: it is there, or will be again.
func (p product) Wanted() bool { return p.State() != "none" }

const (
	pageOfShop  = 24 // products: full rows of two, three and four
	pageOfStock = 50
	wordsMost   = 100 // characters of a search, as in inventory
)

// sorting is a way to sort the shop.
type sorting struct{ Name, Label string }

var sortings = []sorting{{"name", "Name"}, {"price", "Price, lowest first"}, {"-price", "Price, highest first"}, {"newest", "Newest first"}}

// question is what a page of products is asked for by its address. What is wrong there does not matter.
type question struct{ Words, Sort, Cursor string }

func questionOf(c echo.Context) question {
	q := question{Words: strings.TrimSpace(c.QueryParam("q")), Sort: sortings[0].Name, Cursor: c.QueryParam("cursor")}
	if runes := []rune(strings.ToValidUTF8(q.Words, "")); len(runes) > wordsMost {
		q.Words = string(runes[:wordsMost])
	}
	if sort := c.QueryParam("sort"); slices.ContainsFunc(sortings, func(s sorting) bool { return s.Name == sort }) {
		q.Sort = sort
	}
	return q
}

// values is the question as inventory is asked it, for a page of so many products.
func (q question) values(limit int) url.Values {
	v := q.address()
	v.Set("limit", strconv.Itoa(limit))
	v.Set("sort", q.Sort)
	return v
}

// address is the question as it stands in the address of a page, without what goes without saying.
func (q question) address() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"q": q.Words, "sort": q.Sort, "cursor": q.Cursor} {
		if value != "" && value != sortings[0].Name {
			v.Set(name, value)
		}
	}
	return v
}

// at is the address of another page of the same list; empty: the first.
func (q question) at(path, cursor string) string {
	q.Cursor = cursor
	if v := q.address(); len(v) > 0 {
		path += "?" + v.Encode()
	}
	return path
}

// shopScreen is the front page.
type shopScreen struct {
	catalogue
	question
	Sortings    []sorting
	First, More string // addresses; empty: there is no such page
}

// getShop is the front page.
func (s *site) getShop(c echo.Context) error {
	q := questionOf(c)
	page, err := s.shopPage(c, q)
	if err != nil {
		return err
	}
	screen := shopScreen{catalogue: page, question: q, Sortings: sortings}
	screen.First, screen.More = around(q, "/", page.Next)
	return s.pages.render(c, http.StatusOK, "shop.html", screen)
}

// around returns the addresses of the first page and of the next one.
func around(q question, path, next string) (first, more string) {
	if q.Cursor != "" {
		first = q.at(path, "")
	}
	if next != "" {
		more = q.at(path, next)
	}
	return first, more
}
