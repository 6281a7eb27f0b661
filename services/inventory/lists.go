package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
)

const (
	pageMost  = 100 // products on a page; also the default
	skusMost  = 100 // products that one request can name by their SKUs
	wordsMost = 100 // characters of a search
)

// getProducts answers with a page of the products that are sold. With sku parameters it lists only these products.
func (w *warehouse) getProducts(c echo.Context) error {
	page, err := w.page(c, false, func(l listedProduct) any { return bodyOf(l.product) })
	if err != nil {
		return err
	}
	return tagged(c, catalogueFor, "", page)
}

// getStock lists all products with the fields for operators.
func (w *warehouse) getStock(c echo.Context) error {
	page, err := w.page(c, true, func(l listedProduct) any { return stockOf(l.product) })
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, page)
}

func (w *warehouse) page(c echo.Context, all bool, body func(listedProduct) any) (page web.Page, err error) {
	l, err := listingOf(c)
	if err != nil {
		return page, err
	}
	read := func(ctx context.Context, after listing) ([]listedProduct, error) {
		return readProducts(ctx, w.db, after)
	}
	if skus := c.QueryParams()["sku"]; len(skus) > 0 {
		if len(skus) > skusMost || c.QueryParam("q") != "" || c.QueryParam("sort") != "" {
			return page, fault.New(fault.Malformed, "sku can be given %d times, without q and sort", skusMost)
		}
		read = func(ctx context.Context, after listing) ([]listedProduct, error) {
			return readProductsOf(ctx, w.db, skus, after.SKU)
		}
	}
	limit := l.Limit
	l.All = all
	l.Limit++ // one more, to see whether there is another page
	found, err := read(c.Request().Context(), l)
	if err != nil {
		return page, err
	}
	return web.NewPage(found, limit, body, func(last listedProduct) string { return web.Cursor(l.Sort, last.Key, last.SKU) })
}

// listingOf reads which page a request asks for. A cursor is valid only for the sort that it was made for.
func listingOf(c echo.Context) (l listing, err error) {
	if l.Limit, err = web.Limit(c, pageMost, pageMost); err != nil {
		return l, err
	}
	if l.Sort = c.QueryParam("sort"); l.Sort == "" {
		l.Sort = sorts[0]
	}
	if !slices.Contains(sorts, l.Sort) {
		return l, fault.New(fault.Malformed, "sort must be one of %s", strings.Join(sorts, ", "))
	}
	if l.Words = strings.TrimSpace(c.QueryParam("q")); utf8.RuneCountInString(l.Words) > wordsMost {
		return l, fault.New(fault.Malformed, "q must have at most %d characters", wordsMost)
	}
	after, err := web.After(c, 3)
	if err != nil || after == nil {
		return l, err
	}
	if after[0] != l.Sort {
		return l, web.ErrCursor
	}
	l.Key, l.SKU = after[1], after[2]
	return l, nil
}
