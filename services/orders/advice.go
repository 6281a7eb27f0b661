package main

import (
	"strings"

	"example.com/orderflow/pkg/messages"
)

// advice is what a person can do about an order that has waited for too long.
type advice struct {
	Todo   string `json:"todo"`   // for programs
	Advice string `json:"advice"` // for people
}

// adviceOn returns the advice for an order whose command has had no answer. After the answer the order goes on by itself.
func adviceOn(waits string) advice {
	switch waits {
	case kind[messages.RefundPayment]():
		return advice{"settle_payment", "See what keeps the payment. If the provider cannot be brought to give the money back, " +
			"give it back in another way and settle the payment, with the reason."}
	case kind[messages.CancelShipment](), kind[messages.ArrangeShipment]():
		return advice{"settle_shipment", "See what keeps the shipment. If the carrier's system cannot say what has become of the parcel, " +
			"find out in another way and settle the shipment, with the reason."}
	default:
		return advice{"replay_dead_letters", "Look for dead letters about the order and for the last error of the service that does not answer. " +
			"Once the cause is gone, replay them."}
	}
}

// links returns the API paths that the advice refers to.
func (a advice) links(o order) map[string]string {
	owner, settled := strings.CutPrefix(a.Todo, "settle_")
	if !settled {
		return map[string]string{"dead_letters": "/api/operations/dead-letters"}
	}
	path := "/api/" + owner + "s/" + o.ID
	return map[string]string{owner: path, "settlement": path + "/settlement"}
}
