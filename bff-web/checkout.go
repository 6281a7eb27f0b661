package main

import (
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

// card is a payment method of the simulated provider.
type card struct{ Token, Name, About string }

var cards = []card{
	{"tok_visa", "A good card", "The payment succeeds."},
	{"tok_declined", "A declined card", "The bank says no: the stock goes back and the order is cancelled."},
	{"tok_flaky", "A flaky bank", "The provider fails twice and then succeeds. You are charged once."},
	{"tok_timeout", "A silent bank", "The provider charges and does not answer. You are charged once."},
}

// checkout is the form. Everything that makes the order is in it, so that sending it twice is sending the same.
type checkout struct {
	Offer     offer
	Cards     []card
	Key       string // Idempotency-Key of the order: a form makes one order, however often its button is pressed
	Method    string
	Address   messages.Address
	Backorder bool
	Trouble   string
	Errors    map[string]string // by the names that orders gives its fields
}

func (s *site) getCheckout(c echo.Context) error {
	k := cartOf(c)
	if len(k) == 0 {
		return seeOther(c, "/cart")
	}
	return s.pages.render(c, http.StatusOK, "checkout.html", checkout{
		Offer: s.offer(c, k), Cards: cards, Key: rand.Text(), Method: cards[0].Token,
		Address: messages.Address{Name: visitor(c).Name(), Street: "1 Main St", City: "Berlin", PostalCode: "10115", Country: "DE"},
	})
}

func (s *site) postCheckout(c echo.Context) error {
	form := checkout{
		Cards: cards, Key: c.FormValue("key"), Method: c.FormValue("payment_method"), Backorder: c.FormValue("allow_backorder") != "",
		Address: messages.Address{
			Name: c.FormValue("name"), Street: c.FormValue("street"), City: c.FormValue("city"),
			PostalCode: c.FormValue("postal_code"), Country: c.FormValue("country"),
		},
	}
	k := parseCart(c.FormValue("cart")) // what the form showed, not what another tab has made of the cookie since
	wish := map[string]any{
		"lines": k, "payment_method": form.Method, "shipping_address": form.Address, "allow_backorder": form.Backorder,
	}
	var placed struct {
		ID string `json:"id"`
	}
	err := tell(c, s.orders, "/api/orders", form.Key, wish, &placed)
	if err == nil {
		setCookie(c, cartCookie, "", time.Time{})
		return seeOther(c, "/orders/"+placed.ID)
	}
	status, err := form.explain(err)
	if err != nil {
		return err
	}
	form.Offer = s.offer(c, k)
	return s.pages.render(c, status, "checkout.html", form)
}

// explain puts an error beside the fields that it is about. After a refusal the form is a new one. When nobody knows what
// became of it, it stays the same: sent again, it makes no second order.
func (f *checkout) explain(err error) (int, error) {
	refused, ok := errors.AsType[*client.Problem](err)
	switch {
	case !ok && fault.KindOf(err) != fault.Internal:
		f.Trouble = "The shop cannot take the order at the moment. Please try again: it will not be ordered twice."
		return http.StatusServiceUnavailable, nil
	case !ok, refused.Status == http.StatusUnauthorized, refused.Status == http.StatusForbidden:
		return 0, err
	}
	f.Key, f.Errors = rand.Text(), map[string]string{}
	for _, e := range refused.Errors {
		f.Errors[e.Field] = e.Message
	}
	if f.Trouble = "Please have a look at the fields that are marked."; len(f.Errors) == 0 {
		f.Trouble = sentence(refused.Detail)
	}
	return http.StatusUnprocessableEntity, nil
}
