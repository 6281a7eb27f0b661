// Package interleavings is an explicit-state model checker. It connects the real decisions and handlers of the four services
// by a network that may delay, reorder, repeat and lose every message. Cards may be declined, parcels lost, workers die and
// customers cancel at any moment. It visits every state that can be reached.
//
// Services are package main and cannot be imported, on purpose. Therefore the test assembles packages from their sources
// (assemble_test.go; ADR 0025), replaces the SQL of store.go by a table in memory (testdata/payments and the others), and builds
// the checker with them. The assembled files are not kept.
package interleavings

import (
	"slices"
	"time"

	"example.com/orderflow/pkg/messages"
)

// World is one service with its tables and the part of the outside world that only it talks to. It is data that JSON can hold:
// between two steps only its JSON exists, so a step cannot pass hidden state to another.
type World interface {
	// Handles lists the kinds of messages that the service has handlers for.
	Handles() []string
	// Receive handles a message in a transaction of its own. An error means that the message would become a dead letter.
	Receive(m messages.Message) error
	// Actions are the possible next steps without a message.
	Actions() []Action
	// Tell adds to f what the invariants need to know about an order.
	Tell(order string, f *Facts)
	// Void reports whether a message can no longer change anything, whatever happens.
	Void(m messages.Message) bool
	// Tidy removes differences that have no effect, such as the time of day, so that equivalent worlds become equal.
	Tidy()
	// Sent returns the messages that were sent since the last call.
	Sent() []messages.Message
}

// Action is a step without a message: a worker claims a row, the provider answers, a customer cancels.
type Action struct {
	Do   func() (what string, err error)
	Help bool // from a person: it may happen, but an order must not depend on it
}

// Facts are what the services know about an order.
type Facts struct {
	Status, Reason    string
	Charged, Refunded int    // at the provider
	Stock             string // the status of its reservation
	Parcel            string // the status of its parcel at the carrier; empty: there is none
	Busy              bool   // a service still has work to do
	Wrong             string // a mistake that a service itself detects
}

// Now is the time of every step. Tidy has made the times of earlier steps earlier than it.
var Now = time.Unix(1000, 0).UTC()

// Ranks replaces times by their rank in the order in which they are passed to Of; equal times have equal ranks. It is for times
// that are only compared for equality, or with nil.
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

// Outbox keeps the messages that a world sends.
type Outbox struct{ sent []messages.Message }

// Send is called by the replacement of the real outbox.
func (o *Outbox) Send(msgs ...messages.Message) { o.sent = append(o.sent, msgs...) }

// Sent returns the messages that were sent since the last call.
func (o *Outbox) Sent() []messages.Message {
	sent := o.sent
	o.sent = nil
	return sent
}
