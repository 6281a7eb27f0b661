package main

import (
	"cmp"
	"strings"
)

// event is the code of a timeline entry, for programs: what has happened to the order. An entry about a message of another
// service has the name of that message without its owner, such as payment_taken. Codes are never renamed.
type event string

const (
	orderAccepted         event = "order_placed"
	cancellationRequested event = "cancellation_requested"         // by the customer
	cancelledByShop       event = "cancellation_requested_by_shop" // by an operator
	timedOut              event = "timed_out"                      // the last timeout of a state has passed: the order is compensated
	attentionNeeded       event = "attention_needed"
	statusChanged         event = "status_changed" // an earlier release has written the entry, and its text is not known

	// These are only in the operators' log.
	noteAdded   event = "note_added"
	commandSent event = "command_sent_again"
)

// eventOf returns the code of an entry about a message.
func eventOf(kind string) event {
	_, name, _ := strings.Cut(kind, ".")
	return event(name)
}

// The texts of entries that are about no message, as they are written.
const (
	acceptedText  = "order placed"
	cancelledText = "cancellation requested"
	byShopText    = cancelledText + " by the shop"
	timedOutText  = "took too long, compensating"
	attentionText = "takes longer than it should, a person has been told"
	settledText   = "settled by the shop: " // before the text of a transition
	noteText      = "note"
)

// eventOfText returns the code of an entry that was written without one, by an earlier release or by one that runs beside this
// one during an upgrade.
func eventOfText(what string) event {
	what = strings.TrimPrefix(what, settledText)
	switch what {
	case acceptedText:
		return orderAccepted
	case cancelledText:
		return cancellationRequested
	case byShopText:
		return cancelledByShop
	case timedOutText, "took too long, turning back":
		return timedOut
	case attentionText:
		return attentionNeeded
	}
	for _, s := range saga {
		for _, t := range s.transitions {
			if t.what == what {
				return eventOf(t.on)
			}
		}
	}
	return cmp.Or(goneTexts[what], statusChanged)
}

// goneTexts are the texts of transitions as earlier releases wrote them.
var goneTexts = map[string]event{
	"not shipped, refunding":                    "shipment_failed",
	"nothing is charged, giving the stock back": "payment_refunded",
}
