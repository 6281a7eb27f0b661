package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/upstream"
	"github.com/labstack/echo/v4"
)

// foundOrder is an item of the operators' list of orders.
type foundOrder struct {
	orders.Order
	Tracking       string     `json:"tracking_number"`
	AttentionSince *time.Time `json:"attention_since"`
}

// foundScreen is a page of the operators' list of orders.
type foundScreen struct {
	Items       []foundOrder `json:"items"`
	Next        string       `json:"next_cursor"`
	Asked       finding
	Statuses    []string
	Wrong       string // what is wrong with a filter, in the words of orders
	First, More string // addresses; empty: there is no such page
}

// finding are the filters as they were typed. Times are in UTC.
type finding struct {
	Status, Customer, ID, Tracking, SKU, From, To string
	Attention                                     bool
}

const foundPath = "/operations/orders"

func findingOf(c echo.Context) finding {
	text := func(name string) string { return strings.TrimSpace(c.QueryParam(name)) }
	return finding{
		Status: text("status"), Customer: text("customer"), ID: text("id"), Tracking: text("tracking"), SKU: strings.ToUpper(text("sku")),
		From: text("from"), To: text("to"), Attention: text("attention") == "true",
	}
}

// address returns the query of the page's address, without empty filters.
func (f finding) address() url.Values {
	v := url.Values{}
	attention := ""
	if f.Attention {
		attention = "true"
	}
	for name, value := range map[string]string{
		"status": f.Status, "customer": f.Customer, "id": f.ID, "tracking": f.Tracking, "sku": f.SKU, "from": f.From, "to": f.To, "attention": attention,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return v
}

// question returns the query for orders. An input for a time has no zone and perhaps no seconds.
func (f finding) question() url.Values {
	v := f.address()
	for _, name := range []string{"from", "to"} {
		for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
			if at, err := time.Parse(layout, v.Get(name)); err == nil {
				v.Set(name, at.Format(time.RFC3339))
			}
		}
	}
	return v
}

// at returns the address of the list with these filters, from a cursor on; empty: from the beginning.
func (f finding) at(cursor string) string {
	v := f.address()
	if cursor != "" {
		v.Set("cursor", cursor)
	}
	return strings.TrimSuffix(foundPath+"?"+v.Encode(), "?")
}

// getFound shows the orders of all customers that fit the filters.
func (s *Pages) getFound(c echo.Context) error {
	asked, cursor := findingOf(c), c.QueryParam("cursor")
	query := asked.question()
	query.Set("limit", "25")
	query.Set("cursor", cursor)
	screen, err := upstream.Read[foundScreen](c, s.orders, "/api/operations/orders?"+query.Encode())
	status := http.StatusOK
	if upstream.StatusOf(err) == http.StatusBadRequest {
		screen.Wrong, status, err = upstream.Sentence(upstream.ReasonOf(err)), http.StatusBadRequest, nil
	}
	if err != nil {
		return err
	}
	screen.Asked, screen.Statuses = asked, orders.Statuses
	if cursor != "" {
		screen.First = asked.at("")
	}
	if screen.Next != "" {
		screen.More = asked.at(screen.Next)
	}
	return s.pages.Render(c, status, "operations_orders.html", screen)
}
