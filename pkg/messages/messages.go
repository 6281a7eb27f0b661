// Package messages is the contract between the services: every command and event that travels through RabbitMQ, one file
// for each service that owns them.
//
// A command tells its owner to do something and has exactly one receiver. An event reports what has happened in its owner,
// to any service that wants to know. Wire names and JSON fields are written by hand. api/asyncapi.yaml has the schema and an
// example of each message, and tests compare both with these types. Older and newer releases read the messages, so a field may
// be added but never renamed, retyped or removed, and a reader ignores fields that it does not know.
package messages

import (
	"errors"
	"fmt"
)

// Message is a command or an event.
type Message interface {
	// Kind is the name on the wire, such as "inventory.reserve_stock". Its prefix is the owner.
	Kind() string
	// Subject is the id of the order, or the SKU of the product, that the message is about. It is never empty.
	Subject() string
}

// Command is a message that has exactly one receiver: the service that owns it.
type Command interface {
	Message
	command()
}

// Commands returns the kinds of all commands.
func Commands() []string {
	var kinds []string
	for _, c := range []Command{CheckProgress{}, ReserveStock{}, ReleaseStock{}, TakePayment{}, RefundPayment{}, ArrangeShipment{}, CancelShipment{}} {
		kinds = append(kinds, c.Kind())
	}
	return kinds
}

// Notification is an event that may have no listener, such as each change of an order's status. For any other message it is
// an error when no queue takes it: it stays in the outbox until a queue is bound.
type Notification interface {
	Message
	notification()
}

// Validator is a message with rules of its own. A message that breaks them is dead-lettered before a handler sees it.
type Validator interface {
	Validate() error
}

// Settlement says that an event reports an operator's decision, because the world outside has given no answer.
type Settlement struct {
	Operator string `json:"operator"`
	Reason   string `json:"reason"`
}

// Line is a number of units of one product.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// Address is where a parcel goes.
type Address struct {
	Name       string `json:"name"`
	Street     string `json:"street"`
	City       string `json:"city"`
	PostalCode string `json:"postal_code"`
	Country    string `json:"country"` // ISO 3166-1 alpha-2
}

func validLines(lines []Line) error {
	if len(lines) == 0 {
		return errors.New("no lines")
	}
	for i, l := range lines {
		if l.SKU == "" || l.Quantity < 1 {
			return fmt.Errorf("line %d: %d units of %q", i, l.Quantity, l.SKU)
		}
	}
	return nil
}
