package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/tally"
	"example.com/orderflow/pkg/web"
)

const (
	catalogueFor = "public, max-age=1"    // short, since the numbers change with each order
	pictureFor   = "public, max-age=3600" // pictures change only with a release
)

// routes registers the API of inventory. The paths are the public ones: the gateway passes them on unchanged. Handlers that
// change the catalogue are in edit.go, those that list it in lists.go.
func (w *warehouse) routes(e *web.Server, anybody, operator echo.MiddlewareFunc) {
	e.Takes("/api/products", "limit", "cursor", "sort", "q", "sku*")
	e.Takes("/api/stock", "limit", "cursor", "sort", "q")
	e.GET("/api/products", w.getProducts)
	e.GET("/api/products/:sku", w.getProduct, anybody)
	e.GET("/api/products/:sku/image", w.getImage)
	e.PUT("/api/products/:sku", w.putProduct, operator)
	e.POST("/api/products/:sku/stock", w.postStock, operator)
	e.GET("/api/stock", w.getStock, operator)
	tally.Register(e, operator, w.books)
}

// productBody is a product as the public API shows it.
type productBody struct {
	SKU           string         `json:"sku"`
	Name          string         `json:"name"`
	Description   string         `json:"description"`
	Image         string         `json:"image"`
	Price         messages.Money `json:"price"`
	Available     int            `json:"available"`        // units that can still be ordered
	Backorderable bool           `json:"backorderable"`    // whether an order can wait for more than that, because more will come
	Retired       bool           `json:"retired,omitzero"` // it is not sold, and only found by its SKU
}

// editableBody is a product as operators see it, with all that they decide about it.
type editableBody struct {
	productBody
	reorderBody
}

// reorderBody is what only operators see: the public could tell from it how well a product sells.
type reorderBody struct {
	ReorderPoint    int `json:"reorder_point"`
	ReorderQuantity int `json:"reorder_quantity"` // 0: it is never reordered
}

func bodyOf(p product) productBody {
	return productBody{
		SKU: p.SKU, Name: p.Name, Description: p.Description, Image: p.Image, Price: p.Price,
		Available: p.Stock.free(), Backorderable: p.Stock.comes(p.Stock.free() + 1), Retired: p.Retired,
	}
}

func editableOf(p product) editableBody { return editableBody{bodyOf(p), reorderOf(p)} }

func reorderOf(p product) reorderBody {
	return reorderBody{p.Stock.ReorderPoint, p.Stock.ReorderQuantity}
}

// getProduct answers operators with more than the public gets, and with a tag that an edit can require.
func (w *warehouse) getProduct(c echo.Context) error {
	p, err := w.productOf(c)
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderVary, echo.HeaderAuthorization)
	if identity.From(c.Request().Context()).Has(identity.ScopeOperations) {
		return tagged(c, "private, no-cache", p.edition()+"-", editableOf(p))
	}
	return tagged(c, catalogueFor, "", bodyOf(p))
}

// productOf returns the product in the request's path.
func (w *warehouse) productOf(c echo.Context) (product, error) {
	sku := c.Param("sku")
	if !skuFormat.MatchString(sku) {
		return product{}, errNoProduct
	}
	return readProduct(c.Request().Context(), w.db, sku)
}

// getImage serves our own drawings. A product that an operator has added gets one that fits any product.
func (w *warehouse) getImage(c echo.Context) error {
	svg, own := picture(c.Param("sku"))
	if !own {
		if _, err := w.productOf(c); err != nil {
			return err
		}
	}
	h := c.Response().Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'") // a browser opens an SVG on its own as a document
	h.Set("X-Content-Type-Options", "nosniff")
	return blob(c, pictureFor, "", "image/svg+xml", svg)
}

// stockBody shows operators where a product's units are.
type stockBody struct {
	SKU         string `json:"sku"`
	Name        string `json:"name"`
	Available   int    `json:"available"`   // units that can still be ordered
	Kept        int    `json:"kept"`        // on the shelf besides, for orders that wait
	Reserved    int    `json:"reserved"`    // held for orders that are not delivered yet
	Backordered int    `json:"backordered"` // wanted by orders that wait
	OnOrder     int    `json:"on_order"`    // from the supplier
	reorderBody
	Retired bool `json:"retired,omitzero"`
}

func stockOf(p product) stockBody {
	s := p.Stock
	return stockBody{p.SKU, p.Name, s.free(), s.kept(), s.Reserved, s.Backordered, s.OnOrder, reorderOf(p), p.Retired}
}

// tagged answers with JSON that clients may cache for a while and then revalidate. Its entity tag begins with edition.
func tagged(c echo.Context, keep, edition string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return blob(c, keep, edition, echo.MIMEApplicationJSON, text)
}

func blob(c echo.Context, keep, edition, media string, content []byte) error {
	c.Response().Header().Set("Cache-Control", keep)
	sum := sha256.Sum256(content)
	if fresh, err := web.ETag(c, edition+hex.EncodeToString(sum[:16])); fresh {
		return err
	}
	return c.Blob(http.StatusOK, media, content)
}
