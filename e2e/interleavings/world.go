// Package interleavings is an explicit-state model checker. It joins the real decisions and handlers of the four services
// by a network that may delay, reorder, repeat and lose every message, lets cards be declined, parcels be lost, workers die
// and customers cancel at any moment, and visits every state that can be reached by that.
//
// Services are package main and cannot be imported, on purpose. The test therefore assembles packages from their sources
// (assemble_test.go; ADR 0025), puts a table in memory where store.go has SQL (testdata/payments and its siblings), and builds the
// checker with them. Nothing of what is assembled is kept.
package interleavings

import (
	"slices"
	"time"

	"example.com/orderflow/pkg/messages"
)

// World is one service with its tables and that part of the world outside which only it talks to. It is data that JSON can
// hold: between two steps it is nothing but that, so a step can keep nothing from another.
type World interface {
	// Handles lists the kinds of messages that the service has handlers for.
	Handles() []string
	// Receive hands it a message, in a transaction of its own. An error means that the message would be a dead letter.
	Receive(m messages.Message) error
	// Actions are what may happen next without a message.
	Actions() []Action
	// Tell adds what an invariant may want to know of an order.
	Tell(order string, f *Facts)
	// Void reports whether a message can change nothing any more, whatever happens.
	Void(m messages.Message) bool
	// Tidy makes worlds equal that differ only in what nothing depends on, such as the time of day.
	Tidy()
	// Sent returns what was sent since it was last asked.
	Sent() []messages.Message
}

// Action is something that happens without a message: a worker claims, the provider answers, a customer cancels.
type Action struct {
	Do   func() (what string, err error)
	Help bool // from a person: it may happen, but an order must not depend on it
}

// Facts is what there is to know of an order, over all services.
type Facts struct {
	Status, Reason    string
	Charged, Refunded int    // at the provider
	Stock             string // the status of its reservation
	Parcel            string // the status of its parcel at the carrier; empty when there is none
	Busy              bool   // somebody still has something to do
	Wrong             string // what a service knows to be wrong by itself
}

// Now is the time of every step. Times of earlier steps have been tidied to be before it.
var Now = time.Unix(1000, 0).UTC()

// Ranks replaces times by the order in which it meets them, equal ones by the same: for times that are only compared for
// equality, or with nil.
type Ranks []time.Time

// Of returns the rank of t as a time.
func (r *Ranks) Of(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(*r, t.Equal)
	if i < 0 {
		i = len(*r)
		*r = append(*r, *t)
	}
	rank := time.Unix(int64(i+1), 0).UTC()
	return &rank
}

// Outbox keeps what a world sends.
type Outbox struct{ sent []messages.Message }

// Send is called by the outbox that stands in for the real one.
func (o *Outbox) Send(msgs ...messages.Message) { o.sent = append(o.sent, msgs...) }

// Sent returns what was sent since it was last asked.
func (o *Outbox) Sent() []messages.Message {
	sent := o.sent
	o.sent = nil
	return sent
}
