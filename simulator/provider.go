package main

import (
	"crypto/rand"
	"net/http"
	"regexp"
	"slices"
	"time"
)

const flakyFailures = 2 // failing POSTs for each key with tok_flaky

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

// provider charges and refunds. Its ledger is the truth; charges and refunds are the same data by key.
type provider struct {
	clock   func() time.Time
	journal *journal
	hold    time.Duration // how long answers to tok_timeout are withheld

	ledger  []entry // entry n is at index n-1; entries never change, so pages share them without a copy
	charges map[string]charge
	refunds map[string]refund
	flaky   map[string]int // failures so far by key; forgotten at a restart
}

func newProvider(clock func() time.Time, journal *journal, hold time.Duration) *provider {
	return &provider{
		clock: clock, journal: journal, hold: hold,
		ledger: []entry{}, charges: map[string]charge{}, refunds: map[string]refund{}, flaky: map[string]int{},
	}
}

// entry is one line of the ledger, and of the journal.
type entry struct {
	Seq       int       `json:"seq"`
	Kind      string    `json:"kind"` // charge, decline or refund
	ID        string    `json:"id"`
	Key       string    `json:"key"`
	ChargeKey string    `json:"charge_key,omitempty"` // only of a refund
	Reference string    `json:"reference"`
	Method    string    `json:"method,omitempty"` // only of a charge or decline
	Code      string    `json:"code,omitempty"`   // why it was declined
	Amount    int64     `json:"amount"`
	Currency  string    `json:"currency"`
	At        time.Time `json:"at"`
}

type charge struct {
	ID        string    `json:"id"`
	Key       string    `json:"key"`
	Status    string    `json:"status"` // succeeded or declined
	Code      string    `json:"code,omitempty"`
	Refunded  int64     `json:"refunded"`
	Refunds   []refund  `json:"refunds"` // refunds that Refunded sums up
	CreatedAt time.Time `json:"created_at"`
	chargeRequest
}

type chargeRequest struct {
	Amount    int64  `json:"amount"`
	Currency  string `json:"currency"`
	Method    string `json:"method"`
	Reference string `json:"reference"`
}

type refund struct {
	ID        string    `json:"id"`
	Key       string    `json:"key"`
	Status    string    `json:"status"` // always succeeded
	CreatedAt time.Time `json:"created_at"`
	refundRequest
}

type refundRequest struct {
	ChargeKey string `json:"charge_key"`
	Amount    int64  `json:"amount"`
	Currency  string `json:"currency"`
}

// charge charges or declines, once for each key.
func (p *provider) charge(key string, in chargeRequest) answer {
	if in.Amount < 1 || !currencyCode.MatchString(in.Currency) {
		return invalid("a charge has an amount above 0 and a currency of three capital letters")
	}
	if known, exists := p.charges[key]; exists {
		if known.chargeRequest != in {
			return keyReused(key)
		}
		return known.answer()
	}
	if in.Method == "tok_flaky" && p.flaky[key] < flakyFailures {
		p.flaky[key]++
		return refuse(http.StatusServiceUnavailable, "unavailable", "the provider has a bad moment, which is its %d of %d", p.flaky[key], flakyFailures)
	}
	delete(p.flaky, key)

	kind, code := verdict(in.Method)
	p.record(entry{
		Kind: kind, ID: "ch_" + rand.Text(), Key: key, Reference: in.Reference, Method: in.Method, Code: code,
		Amount: in.Amount, Currency: in.Currency,
	})
	a := p.charges[key].answer()
	a.recorded = true
	if kind == "charge" {
		a.status = http.StatusCreated
	}
	if in.Method == "tok_timeout" {
		a.lost, a.after = true, p.hold
	}
	return a
}

// verdict returns the result for a payment method: the kind of ledger entry, and the code of a decline.
func verdict(method string) (kind, code string) {
	switch method {
	case "tok_visa", "tok_flaky", "tok_timeout":
		return "charge", ""
	case "tok_declined":
		return "decline", "card_declined"
	default:
		return "decline", "unknown_method"
	}
}

// answer returns the recorded result.
func (c charge) answer() answer {
	if c.Status == "declined" {
		return refuse(http.StatusPaymentRequired, c.Code, "the charge was declined")
	}
	return ok(c)
}

// refund refunds, once for each key, at most the rest of a charge.
func (p *provider) refund(key string, in refundRequest) answer {
	if in.Amount < 1 {
		return invalid("a refund has an amount above 0")
	}
	if known, exists := p.refunds[key]; exists {
		if known.refundRequest != in {
			return keyReused(key)
		}
		return ok(known)
	}
	c, exists := p.charges[in.ChargeKey]
	if !exists {
		return refuse(http.StatusNotFound, "no_charge", "there is no charge with key %q", in.ChargeKey)
	}
	left := c.Amount - c.Refunded
	if c.Status == "declined" {
		left = 0
	}
	if in.Amount > left || in.Currency != c.Currency {
		return refuse(http.StatusUnprocessableEntity, "over_refund", "only %d %s of the charge are left", left, c.Currency)
	}
	p.record(entry{
		Kind: "refund", ID: "re_" + rand.Text(), Key: key, ChargeKey: c.Key, Reference: c.Reference,
		Amount: in.Amount, Currency: in.Currency,
	})
	return created(p.refunds[key])
}

func (p *provider) record(e entry) {
	e.Seq, e.At = len(p.ledger)+1, p.clock()
	p.journal.append(line{Entry: &e})
	p.apply(e)
}

// apply makes all changes of an entry, new or replayed.
func (p *provider) apply(e entry) {
	p.ledger = append(p.ledger, e)
	switch e.Kind {
	case "charge":
		p.charges[e.Key] = charge{e.ID, e.Key, "succeeded", "", 0, []refund{}, e.At, e.request()}
	case "decline":
		p.charges[e.Key] = charge{e.ID, e.Key, "declined", e.Code, 0, []refund{}, e.At, e.request()}
	case "refund":
		p.refunds[e.Key] = refund{e.ID, e.Key, "succeeded", e.At, refundRequest{e.ChargeKey, e.Amount, e.Currency}}
		c := p.charges[e.ChargeKey]
		c.Refunded += e.Amount
		c.Refunds = append(slices.Clip(c.Refunds), p.refunds[e.Key]) // copied, because earlier answers share the old slice
		p.charges[e.ChargeKey] = c
	}
}

func (e entry) request() chargeRequest {
	return chargeRequest{e.Amount, e.Currency, e.Method, e.Reference}
}

func (p *provider) chargeByKey(key string) (charge, bool) {
	c, exists := p.charges[key]
	return c, exists
}

func (p *provider) refundByKey(key string) (refund, bool) {
	r, exists := p.refunds[key]
	return r, exists
}

// page lists the entries after the given seq.
func (p *provider) page(r *http.Request) answer {
	return page(r, p.ledger, func(e entry) entry { return e })
}
