package main

import (
	"fmt"
	"net/http"

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
	ReorderQuantity int            `json:"reorder_quantity"`
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
	case p.ReorderQuantity > 0:
		return "coming"
	}
	return "none"
}

// Wanted reports whether it can be put into a cart: it is there, or will be again.
func (p product) Wanted() bool { return p.State() != "none" }

// getShop is the front page.
func (s *site) getShop(c echo.Context) error {
	all, err := s.products(c)
	if err != nil {
		return err
	}
	return s.pages.render(c, http.StatusOK, "shop.html", all)
}
