package main

import (
	"net/http"
	"testing"
	"time"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/testkit/contract"
)

func TestOrdersNeedsWhatItsContractSays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	now := time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)
	f.shop.now = func() time.Time { return now }
	f.stock("MUG-BLUE")
	contract.Service(t, name, f.db, f.inbox, func(on string) contract.Subject {
		about := contract.NewSubject()
		about.Order = f.place()
		reserved, taken := messages.StockReserved{OrderID: about.Order}, messages.PaymentTaken{OrderID: about.Order, Amount: messages.Money{Amount: 2598, Currency: "EUR"}}
		switch on {
		case kind[messages.PaymentTaken](), kind[messages.PaymentDeclined]():
			f.receive(reserved)
		case kind[messages.StockReleased]():
			f.receive(reserved, messages.PaymentDeclined{OrderID: about.Order})
		case kind[messages.CheckProgress](), kind[messages.ShipmentArranged](), kind[messages.ShipmentDispatched](), kind[messages.ShipmentInTransit](),
			kind[messages.ShipmentDelivered](), kind[messages.ShipmentFailed]():
			f.receive(reserved, taken)
		case kind[messages.PaymentRefunded]():
			f.receive(reserved, taken, messages.ShipmentFailed{ShipmentChange: messages.ShipmentChange{OrderID: about.Order, At: now}})
		case kind[messages.ShipmentCancelled](), kind[messages.CancellationRefused]():
			f.receive(reserved, taken)
			f.call(http.MethodPost, "/api/orders/"+about.Order+"/cancellation", "", f.as("alice"))
		}
		return about
	})
}

func TestTheStatusesAndReasonsOfOrdersAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	contract.Values(t, "status", kind[messages.OrderStatusChanged](), "status")
	contract.Values(t, "reason", kind[messages.OrderStatusChanged](), "reason")
}
