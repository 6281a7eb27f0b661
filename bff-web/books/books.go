// Package books compares what the services have written down: whether the orders, the money, the stock and the parcels agree.
package books

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/tally"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// Pages are the page of the books, and their API.
type Pages struct {
	pages                                 *site.Site
	orders, payments, inventory, shipping *client.Client
	simulator                             *client.Client // nil: the provider gives no report
	ledger                                ledger
}

// New returns the page of the books. simulator gives the report of the provider; nil: there is none.
func New(pages *site.Site, services upstream.Services, simulator *client.Client) *Pages {
	return &Pages{
		pages: pages, orders: services.Orders, payments: services.Payments, inventory: services.Inventory, shipping: services.Shipping, simulator: simulator,
	}
}

// Routes registers both.
func (s *Pages) Routes(e *web.Server) {
	e.GET("/api/operations/books", s.getBooks, s.pages.Bearer(identity.ScopeOperations))
	e.GET("/operations/books", s.getBooksPage, s.pages.Only(identity.ScopeOperations)...)
}

// The books of all services are compared while the system works. Nothing stops for it: orders are counted before and after the
// others, so each number of the others has a lowest and a highest value that is right. Outside of these, something is wrong, and
// is not only late. The audit (make audit) compares each order, and needs the system to be at rest.

// books are the last orders in the books of all services.
type books struct {
	Orders    int64     `json:"orders"`
	Delivered int64     `json:"delivered"`
	Cancelled int64     `json:"cancelled"`
	UnderWay  int64     `json:"under_way"`
	Lost      []string  `json:"lost"`          // orders that were accepted and are not there
	Double    []string  `json:"charged_twice"` // orders that the provider has charged more than once
	Rules     []rule    `json:"rules"`
	At        time.Time `json:"at"`
}

// rule compares the books of one service, or of the provider, with those of another.
type rule struct {
	Name   string  `json:"name"`
	What   string  `json:"what"`
	Checks []check `json:"checks"`
	Unread string  `json:"unknown,omitempty"` // why it cannot be checked; empty: it can
}

// check is a number and its bounds.
type check struct {
	Currency string `json:"currency,omitempty"`
	Low      int64  `json:"low"`
	Is       int64  `json:"is"`
	High     int64  `json:"high"`
}

// Holds reports whether the number is within its bounds.
func (c check) Holds() bool { return c.Low <= c.Is && c.Is <= c.High }

// Text returns one of the numbers of the check for people.
func (c check) Text(n int64) string {
	if c.Currency == "" {
		return fmt.Sprint(n)
	}
	return site.Money(messages.Money{Amount: n, Currency: c.Currency})
}

// Broken reports whether one of its checks does not hold.
func (r rule) Broken() bool {
	return slices.ContainsFunc(r.Checks, func(c check) bool { return !c.Holds() })
}

// Agree reports whether nothing is wrong as far as it is known.
func (b books) Agree() bool {
	return len(b.Lost) == 0 && len(b.Double) == 0 && !slices.ContainsFunc(b.Rules, rule.Broken)
}

// sums are a tally's counts and amounts, by status.
type sums struct {
	tally.Tally
	err error
}

// count returns how many rows are in one of some statuses.
func (s sums) count(statuses ...string) (n int64) {
	for _, r := range s.Rows {
		if slices.Contains(statuses, r.Status) {
			n += r.Count
		}
	}
	return n
}

// amount returns the sum of the rows in some statuses.
func (s sums) amount(currency string, statuses ...string) (n int64) {
	for _, r := range s.Rows {
		if r.Currency == currency && slices.Contains(statuses, r.Status) {
			n += r.Amount
		}
	}
	return n
}

// underWay returns the statuses that orders have which have not ended.
func (s sums) underWay() (statuses []string) {
	for _, r := range s.Rows {
		if !orders.Final(r.Status) {
			statuses = append(statuses, r.Status)
		}
	}
	return statuses
}

func (s sums) currencies() (all []string) {
	for _, r := range s.Rows {
		if !slices.Contains(all, r.Currency) {
			all = append(all, r.Currency)
		}
	}
	slices.Sort(all)
	return all
}

// report is what the provider says about the orders.
type report struct {
	Charged  map[string]int64 `json:"charged"`
	Refunded map[string]int64 `json:"refunded"`
	Double   []string         `json:"double"`
	err      error
}

// looks are all books, in the order in which they were read.
type looks struct {
	before, paidBefore sums
	provider           report
	stock, parcels     sums
	paidAfter, after   sums
}

// compare applies the rules. It knows nothing about where the books are from.
func (l looks) compare() []rule {
	var money, charges []check
	before, after := l.before, l.after
	underWay := after.underWay()
	ended := func(count func(sums, ...string) int64) int64 {
		return count(after, "cancelled") - count(before, "cancelled")
	}
	highest := func(count func(sums, ...string) int64) int64 {
		return count(after, "delivered") + count(after, underWay...) + ended(count)
	}
	for _, currency := range after.currencies() {
		in := func(s sums, statuses ...string) int64 { return s.amount(currency, statuses...) }
		has, byHand := l.provider.Charged[currency]-l.provider.Refunded[currency], in(l.paidAfter, "settled_by_hand")
		money = append(money, check{currency, in(before, "delivered"), has, highest(in) + byHand})
		returned := in(l.paidAfter, "refunding", "refunded") - in(l.paidBefore, "refunding", "refunded")
		charges = append(charges, check{
			currency, in(l.paidBefore, "taken") - max(0, returned), has,
			in(l.paidAfter, "taken", "requested", "withdrawing", "refunding") + max(0, in(l.paidAfter, "refunded")-in(l.paidBefore, "refunded")) + byHand,
		})
	}
	held := l.stock.count("reserved", "taken")
	rules := []rule{
		{Name: "Money", What: "the provider has the price of each delivered order, and at most that of orders under way besides", Checks: money, Unread: unread(l.before.err, l.provider.err, l.after.err)},
		{Name: "Charges", What: "the provider has what payments has taken, and at most what it is about to take or refund besides", Checks: charges, Unread: unread(l.paidBefore.err, l.provider.err, l.paidAfter.err)},
		{
			Name: "Stock", What: "each delivered order has its stock, and no cancelled order has any",
			Checks: []check{{"", before.count("delivered"), held, highest(sums.count)}},
			Unread: unread(l.before.err, l.stock.err, l.after.err),
		},
		{
			Name: "Stock taken", What: "stock leaves the books only for delivered orders",
			Checks: []check{{"", 0, l.stock.count("taken"), after.count("delivered")}},
			Unread: unread(l.before.err, l.stock.err, l.after.err),
		},
		{
			Name: "Parcels", What: "each delivered order has one delivered parcel",
			Checks: []check{{"", before.count("delivered"), l.parcels.count("delivered"), after.count("delivered") + after.count(underWay...)}},
			Unread: unread(l.before.err, l.parcels.err, l.after.err),
		},
	}
	for i := range rules {
		if rules[i].Unread != "" {
			rules[i].Checks = nil
		}
	}
	return rules
}

// unread returns why a rule cannot be checked; empty: it can.
func unread(errs ...error) string {
	for _, err := range errs {
		if err != nil {
			if reason := upstream.ReasonOf(err); reason != "" {
				return reason
			}
			return "a part of the books cannot be read"
		}
	}
	return ""
}

// ledger keeps the latest comparison for a moment: many readers cost no more than one.
type ledger struct {
	mu    sync.Mutex
	books books
}

// booksKept is how long a comparison is shown.
const booksKept = 2 * time.Second

func (s *Pages) compareBooks(ctx context.Context, header http.Header) books {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	if time.Since(s.ledger.books.At) < booksKept {
		return s.ledger.books
	}
	var l looks
	read := func(from *client.Client, since string) (t sums) {
		_, t.err = from.JSON(ctx, http.MethodGet, "/api/operations/books"+since, header, nil, &t.Tally)
		return t
	}
	l.before = read(s.orders, "")
	since := "?since=" + url.QueryEscape(l.before.Since.String())
	l.paidBefore = read(s.payments, since)
	var reading sync.WaitGroup
	reading.Go(func() { l.provider = s.report(ctx, since) })
	reading.Go(func() { l.stock = read(s.inventory, since) })
	reading.Go(func() { l.parcels = read(s.shipping, since) })
	reading.Wait()
	l.paidAfter = read(s.payments, since)
	l.after = read(s.orders, since)

	b := books{Rules: l.compare(), Double: l.provider.Double, At: time.Now(), Lost: []string{}}
	b.Delivered, b.Cancelled, b.UnderWay = l.after.count("delivered"), l.after.count("cancelled"), l.after.count(l.after.underWay()...)
	b.Orders = b.Delivered + b.Cancelled + b.UnderWay
	for _, id := range l.after.Lost {
		b.Lost = append(b.Lost, id.String())
	}
	s.ledger.books = b
	return b
}

var errNoReport = fault.New(fault.Unavailable, "the provider gives no report here")

// report reads the provider's report. In the demo the provider is the simulator; a real one has reports of its own.
func (s *Pages) report(ctx context.Context, since string) (r report) {
	if s.simulator == nil {
		return report{err: errNoReport}
	}
	_, r.err = s.simulator.JSON(ctx, http.MethodGet, "/provider/report"+since, nil, nil, &r)
	return r
}

// getBooks serves the comparison of the API.
func (s *Pages) getBooks(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, s.compareBooks(c.Request().Context(), upstream.Headers(c)))
}

// getBooksPage shows the comparison.
func (s *Pages) getBooksPage(c echo.Context) error {
	return s.pages.Render(c, http.StatusOK, "books.html", s.compareBooks(c.Request().Context(), upstream.AsVisitor(c)))
}
