package inbox

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
)

// A delivery that is let in is one that its sender would have written: it has an id and a subject, keeps the rules of its
// kind, and would say the same if it were sent on. Any other delivery is refused, and becomes a dead letter.
func FuzzOpen(f *testing.F) {
	in := New(nil, nil, idle,
		ear[messages.CheckProgress](), ear[messages.OrderPlaced](), ear[messages.OrderStatusChanged](), ear[messages.OrderCancelled](), ear[messages.OrderCompleted](),
		ear[messages.ReserveStock](), ear[messages.ReleaseStock](), ear[messages.StockReserved](), ear[messages.StockBackordered](), ear[messages.StockRejected](),
		ear[messages.StockReleased](), ear[messages.ProductChanged](), ear[messages.StockReplenished](),
		ear[messages.TakePayment](), ear[messages.RefundPayment](), ear[messages.PaymentTaken](), ear[messages.PaymentDeclined](), ear[messages.PaymentRefunded](),
		ear[messages.ArrangeShipment](), ear[messages.CancelShipment](), ear[messages.ShipmentArranged](), ear[messages.ShipmentDispatched](), ear[messages.ShipmentInTransit](),
		ear[messages.ShipmentDelivered](), ear[messages.ShipmentFailed](), ear[messages.ShipmentCancelled](), ear[messages.CancellationRefused]())
	const id = "0198c3a2-7f00-7000-8000-000000000001"
	for _, kind := range append(in.Commands(), in.Events()...) {
		f.Add(id, kind, []byte(`{"order_id":"`+id+`","sku":"MUG","at":"2026-01-02T03:04:05.678Z","lines":[{"sku":"MUG","quantity":2}],"amount":{"amount":5,"currency":"EUR"}}`))
	}
	f.Add("urn:uuid:"+id, "inventory.reserve_stock", []byte(`{"order_id":"\ud800\u0000","lines":[{"sku":"","quantity":-1}]}`))
	f.Add("", "unknown", []byte("null"))
	f.Fuzz(func(t *testing.T, id, kind string, body []byte) {
		l, err := in.open(bus.Delivery{Message: bus.Message{ID: id, Kind: kind, Body: body}})
		if err != nil {
			return
		}
		if uuid.MustParse(l.ID).String() != l.ID || l.content.Kind() != kind || l.Subject == "" || l.Subject != l.content.Subject() {
			t.Fatalf("%q %q %q is let in as %+v", id, kind, body, l)
		}
		if rules, ok := l.content.(messages.Validator); ok && rules.Validate() != nil {
			t.Errorf("%q breaks the rules of %s", body, kind)
		}
		once, err := json.Marshal(l.content)
		if err != nil {
			t.Fatalf("%q cannot be sent on: %v", body, err)
		}
		again, err := in.open(bus.Delivery{Message: bus.Message{ID: l.ID, Kind: kind, Body: once}})
		if err != nil {
			t.Fatalf("sent on as %s it is refused: %v", once, err)
		}
		if twice, err := json.Marshal(again.content); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("sent on it is %s and then %s, %v", once, twice, err)
		}
	})
}

func ear[M messages.Message]() Handler[nothing] {
	return On(func(context.Context, nothing, M) error { return nil })
}

// nothing is a unit of work without rows.
type nothing struct{}

func idle() nothing { return nothing{} }

func (nothing) About(messages.Message)                   {}
func (nothing) Load(context.Context, *postgres.Tx) error { return nil }
func (nothing) Save(context.Context, *postgres.Tx) error { return nil }
