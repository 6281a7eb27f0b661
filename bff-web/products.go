package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

// product is what the page shows of inventory's.
type product struct {
	SKU             string         `json:"sku"`
	Name            string         `json:"name"`
	Description     string         `json:"description"`
	Image           string         `json:"image"`
	Price           messages.Money `json:"price"`
	Available       int            `json:"available"`
	ReorderQuantity int            `json:"reorder_quantity"`
}

const (
	fewLeft    = 5
	againAfter = 10 // seconds
)

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

// getProducts is the front page. Without inventory it asks for patience.
func (s *site) getProducts(c echo.Context) error {
	var catalogue struct {
		Items []product `json:"items"`
	}
	ctx := c.Request().Context()
	_, err := s.inventory.JSON(ctx, http.MethodGet, "/api/products", headers(c), nil, &catalogue)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case err != nil:
		s.log.WarnContext(ctx, "show products", "error", err)
		c.Response().Header().Set("Retry-After", strconv.Itoa(againAfter))
		return s.pages.render(c, http.StatusServiceUnavailable, "message.html", message{
			Title: "We will be right back",
			Text:  "The catalogue cannot be shown at the moment. Orders that were placed are safe and go on. This page tries again by itself.",
			Again: againAfter,
		})
	}
	return s.pages.render(c, http.StatusOK, "products.html", catalogue)
}

// Currencies that have not two digits after the point (ISO 4217), and signs that everybody knows.
var (
	digits = map[string]int{"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}
	signs  = map[string]string{"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
)

// money is an amount as people write it: €1,234.50.
func money(m messages.Money) string {
	places, other := digits[m.Currency]
	if !other {
		places = 2
	}
	text, minus := strings.CutPrefix(strconv.FormatInt(m.Amount, 10), "-")
	text = strings.Repeat("0", max(0, places+1-len(text))) + text
	whole, part := text[:len(text)-places], text[len(text)-places:]
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if part != "" {
		whole += "." + part
	}
	sign, known := signs[m.Currency]
	if !known {
		sign = m.Currency + "\u00a0"
	}
	if minus {
		sign = "−" + sign
	}
	return sign + whole
}
