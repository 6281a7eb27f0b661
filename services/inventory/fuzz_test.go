package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
)

// An edit that is accepted describes a product that can be sold. What the API then shows is accepted as an edit, too, and
// changes nothing.
func FuzzEditing(f *testing.F) {
	const good = `{"name":"Blue mug","description":"Holds tea.","price":{"amount":1299,"currency":"EUR"},"reorder_point":5,"reorder_quantity":0}`
	f.Add("MUG-BLUE", good)
	f.Add("mug", strings.Replace(good, "1299", "-1", 1))
	f.Add("MUG", strings.Replace(good, "Blue mug", ` \u00a0\u2003 `, 1))
	f.Add("-", strings.Replace(good, `"reorder_point":5`, `"reorder_point":null`, 1))
	f.Fuzz(func(t *testing.T, sku, body string) {
		p, err := readEditing(sku, body)
		if err != nil {
			switch fault.KindOf(err) {
			case fault.Malformed, fault.Invalid:
			default:
				t.Errorf("not the caller's fault: %v", err)
			}
			return
		}
		shown := editableOf(p)
		if !skuFormat.MatchString(p.SKU) || p.Name == "" || p.Price.Amount < 1 || p.Stock.ReorderPoint < 0 || p.Stock.ReorderQuantity < 0 || shown.Available != 0 {
			t.Errorf("%q is %+v", body, p)
		}
		if changed := p.changed(); changed.Subject() != sku {
			t.Errorf("it is announced as %+v", changed)
		}
		text, err := json.Marshal(map[string]any{
			"name": shown.Name, "description": shown.Description, "price": shown.Price, "reorder_point": shown.ReorderPoint, "reorder_quantity": shown.ReorderQuantity,
		})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := readEditing(sku, string(text)); err != nil || editableOf(again) != shown {
			t.Errorf("%s is %+v, %v", text, again, err)
		}
	})
}

func readEditing(sku, body string) (product, error) {
	r := httptest.NewRequest(http.MethodPut, "/api/products/x", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	var e editing
	if err := web.JSON(echo.New().NewContext(r, httptest.NewRecorder()), &e); err != nil {
		return product{}, err
	}
	return e.product(sku)
}
