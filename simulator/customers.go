package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	rateMost   = 20 // orders a second
	rushMost   = 10 * time.Minute
	rushUsual  = time.Minute
	ordersMost = 10_000
	atOnce     = 100 // orders that may wait for an answer at the same time; further customers leave at once
)

// customers order at the shop, as any client outside of it does. They come only when they are told to, and stop by themselves:
// without them no goroutine runs, and nothing here is decided by chance.
type customers struct {
	shop  *shop
	slots chan struct{}
	life  context.Context // ends with the program
	leave context.CancelFunc

	mu   sync.Mutex
	rush *rush // the latest one; nil: there was none
}

func newCustomers(gateway, secret string) *customers {
	c := &customers{slots: make(chan struct{}, atOnce)}
	if gateway != "" && secret != "" {
		c.shop = newShop(gateway, secret)
	}
	c.life, c.leave = context.WithCancel(context.Background())
	return c
}

// wanted says which customers come.
type wanted struct {
	Rate   float64   `json:"rate"`             // orders a second; 0: nobody comes any more
	For    *duration `json:"for,omitempty"`    // default 1m
	Orders int       `json:"orders,omitempty"` // they stop after so many; 0: only when the time is over
	SKU    string    `json:"sku,omitempty"`    // all of them want this product; empty: any that is there
	Mix    mix       `json:"mix"`
}

// mix is which share of the customers has something about them. All others pay with a good card and live where parcels arrive.
type mix struct {
	Declined      rate `json:"declined"`      // pay with tok_declined
	Flaky         rate `json:"flaky"`         // with tok_flaky
	Timeout       rate `json:"timeout"`       // with tok_timeout
	Undeliverable rate `json:"undeliverable"` // live where no parcel arrives
	Regret        rate `json:"regret"`        // cancel soon after they have ordered
}

func (m mix) sum() rate { return m.Declined + m.Flaky + m.Timeout + m.Undeliverable + m.Regret }

// draw decides what is about one customer.
func (m mix) draw() wish {
	w := wish{card: "tok_visa", postalCode: "10115"}
	at := rate(rand.Float64())
	for _, kind := range []struct {
		share rate
		apply func()
	}{
		{m.Declined, func() { w.card = "tok_declined" }},
		{m.Flaky, func() { w.card = "tok_flaky" }},
		{m.Timeout, func() { w.card = "tok_timeout" }},
		{m.Undeliverable, func() { w.postalCode = undeliverable }},
		{m.Regret, func() { w.regret = true }},
	} {
		if at < kind.share {
			kind.apply()
			break
		}
		at -= kind.share
	}
	return w
}

// rush is one time at which customers come, and what became of them.
type rush struct {
	wanted
	until time.Time
	stop  context.CancelFunc

	mu   sync.Mutex
	tale tale
}

// tale is what became of the customers. Placed orders are accepted, refused, given up, or wait for an answer.
type tale struct {
	Placed   int  `json:"placed"`   // customers who came
	Accepted int  `json:"accepted"` // orders that the shop has taken
	Refused  int  `json:"refused"`  // orders that it will not take
	GaveUp   int  `json:"gave_up"`  // customers who got no answer for too long, or saw too many others wait
	Coming   bool `json:"coming"`   // more are to come
}

func (r *rush) note(change func(*tale)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.tale)
}

// state is the latest rush as callers see it.
type state struct {
	wanted
	tale
	Open  bool      `json:"open"` // whether there is a shop to go to
	Until time.Time `json:"until,omitzero"`
}

func (c *customers) show(*http.Request) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ok(c.state())
}

func (c *customers) state() state {
	s := state{Open: c.shop != nil}
	if r := c.rush; r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		s.wanted, s.tale, s.Until = r.wanted, r.tale, r.until
	}
	return s
}

// invite lets other customers come than before. Those who have ordered already still wait for their answer.
func (c *customers) invite(r *http.Request) answer {
	var to wanted
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := decode(in, &to); err != nil {
		return invalid("these are not customers: %v", err)
	}
	within := rushUsual
	if to.For != nil {
		within = time.Duration(*to.For)
	}
	switch {
	case !(to.Rate >= 0 && to.Rate <= rateMost):
		return invalid("there are 0 to %d orders a second", rateMost)
	case within <= 0 || within > rushMost:
		return invalid("customers come for more than 0s and at most %s", rushMost)
	case to.Orders < 0 || to.Orders > ordersMost:
		return invalid("there are 0 to %d orders", ordersMost)
	case to.Mix.sum() > 1.0001: // sums of shares such as 0.1 are not exact
		return invalid("the shares of the mix are more than all customers")
	case c.shop == nil && to.Rate > 0:
		return refuse(http.StatusConflict, "no_shop", "customers know no shop: GATEWAY_URL and DEMO_SECRET are not set")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rush != nil {
		c.rush.stop()
	}
	next := &rush{wanted: to, until: now().Add(within), stop: func() {}}
	if to.Rate > 0 {
		ctx, stop := context.WithTimeout(c.life, within)
		next.stop, next.tale.Coming = stop, true
		go c.come(ctx, next)
	} else {
		next.until = time.Time{}
	}
	c.rush = next
	return ok(c.state())
}

// come lets the customers of a rush come, one after another, until it is over.
func (c *customers) come(ctx context.Context, r *rush) {
	defer r.note(func(t *tale) { t.Coming = false })
	next := time.NewTicker(time.Duration(float64(time.Second) / r.Rate))
	defer next.Stop()
	for n := 0; r.Orders == 0 || n < r.Orders; n++ {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		r.note(func(t *tale) { t.Placed++ })
		select {
		case c.slots <- struct{}{}:
		default:
			r.note(func(t *tale) { t.GaveUp++ })
			continue
		}
		go func() {
			defer func() { <-c.slots }()
			c.buy(r)
		}()
	}
}

// buy places one order and notes what became of it.
func (c *customers) buy(r *rush) {
	w := r.Mix.draw()
	w.sku = r.SKU
	id, err := c.shop.order(c.life, w)
	switch {
	case err != nil:
		r.note(func(t *tale) { t.GaveUp++ })
	case id == "":
		r.note(func(t *tale) { t.Refused++ })
	default:
		r.note(func(t *tale) { t.Accepted++ })
		if w.regret {
			wait(c.life, time.Second)
			_ = c.shop.cancel(c.life, id) // it may be too late, and then the parcel comes
		}
	}
}
