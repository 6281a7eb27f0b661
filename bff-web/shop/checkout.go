package shop

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"example.com/orderflow/bff-web/internal/cart"
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
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

// checkout is the form. It contains everything that makes the order, so that sending it twice repeats the same order.
type checkout struct {
	Offer     offer
	Cards     []card
	Key       string // Idempotency-Key of the order
	Method    string
	Address   messages.Address
	Backorder bool

	Price messages.Money // total price that the page knows; empty currency: it knows none
	Was   messages.Money // total price that the page showed before, if that was a different one

	Made  string // page of the order that this form has made already; empty: none is known
	Again bool   // the customer confirms a second order
	Kept  bool   // the input was kept from before the session ended

	Problem string
	Errors  map[string]string // by orders' names of the fields
	Others  []string          // errors of the order that belong to no field
}

func (s *Pages) getCheckout(c echo.Context) error {
	s.listen(c) // the first messages of an order pass before its page is there
	o := s.offer(c, cart.Of(c))
	if currency := c.QueryParam("currency"); currency != "" {
		o = o.in(currency)
	}
	if len(o.Lines) == 0 || len(o.Totals) > 1 { // the cart says how to order in parts
		return site.SeeOther(c, "/cart")
	}
	form := s.draft(c)
	form.Price = o.price()
	form.Key = cart.KeyFor(c, form.Price.Currency)
	return s.show(c, http.StatusOK, form, o)
}

// typed reads the customer's input from a form of the checkout.
func typed(value func(string) string) checkout {
	return checkout{
		Method: value("payment_method"), Backorder: value("allow_backorder") != "",
		Address: messages.Address{
			Name: value("name"), Street: value("street"), City: value("city"), PostalCode: value("postal_code"), Country: value("country"),
		},
	}
}

func (s *Pages) postCheckout(c echo.Context) error {
	form := typed(c.FormValue)
	form.Key, form.Again = c.FormValue("key"), c.FormValue("again") != ""
	if made := c.FormValue("made"); made != "" {
		form.Made = site.Local(made)
	}
	shown := readTotal(c.FormValue("total"))
	k := cart.Parse(c.FormValue("cart")) // the cart that the form showed, not the cookies, which another tab may have changed since
	switch {
	case len(k) == 0:
		return site.SeeOther(c, "/cart")
	case !cart.KeyForm.MatchString(form.Key):
		form.Key, form.Problem = cart.KeyFor(c, shown.Currency), "The form was not complete. Nothing has been ordered: please look at it and place the order."
	case form.Made != "" && !form.Again:
		form.Problem = "Nothing has been ordered a second time."
		form.Errors = map[string]string{"again": "Tick this if you really want a second order."}
	}
	if form.Problem != "" {
		form.Price = shown
		return s.show(c, http.StatusUnprocessableEntity, form, s.offer(c, k))
	}
	id, err := s.order(c, form, k, shown)
	if err == nil {
		if cart.Used(c, form.Key) { // a repeated form takes nothing out of the next cart
			cart.BasketOf(c).TakeOut(k)
			cart.DropDraft(c)
		}
		return site.SeeOther(c, "/orders/"+id)
	}
	o := s.offer(c, k)
	status, err := form.explain(err, o)
	if err != nil {
		return err
	}
	form.Price = cmp.Or(form.Price, o.price(), shown)
	if shown.Currency != "" && shown != form.Price {
		form.Was = shown
	}
	return s.show(c, status, form, o)
}

// order places the order at the price that the form showed. A form that showed no price sends a price that no order can have,
// and is refused: nobody is charged a price that they have not seen.
func (s *Pages) order(c echo.Context, form checkout, k cart.Cart, shown messages.Money) (id string, err error) {
	h := upstream.AsVisitor(c)
	h.Set("Idempotency-Key", form.Key)
	h.Set("Expected-Total", fmt.Sprintf("%d %s", shown.Amount, cmp.Or(shown.Currency, cart.NoCurrency)))
	wish := map[string]any{
		"lines": k, "payment_method": form.Method, "shipping_address": form.Address, "allow_backorder": form.Backorder,
	}
	var placed struct {
		ID string `json:"id"`
	}
	_, err = s.orders.JSON(c.Request().Context(), http.MethodPost, "/api/orders", h, wish, &placed)
	return placed.ID, err
}

func (s *Pages) show(c echo.Context, status int, form checkout, o offer) error {
	form.Offer, form.Cards = o, cards
	form.Method = cmp.Or(form.Method, cards[0].Token)
	return s.pages.Render(c, status, "checkout.html", form)
}

// Total returns the price as the form sends it back.
func (f checkout) Total() string {
	if f.Price.Currency == "" {
		return ""
	}
	return fmt.Sprintf("%d %s", f.Price.Amount, f.Price.Currency)
}

var totalForm = regexp.MustCompile(`^[0-9]{1,18} [A-Z]{3}$`)

func readTotal(text string) (m messages.Money) {
	if totalForm.MatchString(text) {
		amount, currency, _ := strings.Cut(text, " ")
		m.Currency = currency
		m.Amount, _ = strconv.ParseInt(amount, 10, 64) // cannot fail: 18 digits fit
	}
	return m
}
