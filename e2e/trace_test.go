package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/e2e/stories"
	"github.com/google/uuid"
)

// One trace contains everything from the client's request to the parcel, and every message names its cause.
func TestOneTraceShowsAnOrdersWholeLife(t *testing.T) {
	t.Parallel()
	s := together(t)
	ch := stories.Channel(t, stories.Dial(t, s.Broker.URL))
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.QueueBind(q.Name, "#", "orderflow.events", false, nil); err != nil {
		t.Fatal(err)
	}
	c := stories.New(t, world(s))
	trace := strings.ReplaceAll(uuid.NewString(), "-", "")
	var o struct{ ID string }
	c.Must(http.StatusAccepted, "alice", http.MethodPost, "/api/orders", stories.Wish{SKU: c.Product(5, 0, 0)}.JSON(),
		"Idempotency-Key", uuid.NewString(), "Traceparent", "00-"+trace+"-b7ad6b7169203331-01").Into(t, &o)
	c.End(o.ID)

	kinds := map[string]bool{}
	stories.Until(t, "its completion is announced", func() bool {
		d, ok, err := ch.Get(q.Name, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok || d.CorrelationId != o.ID {
			return false
		}
		kinds[d.Type] = true
		var parcel struct { // one event may contain several stages
			Earlier []struct{ Stage string }
		}
		if json.Unmarshal(d.Body, &parcel) == nil && strings.HasPrefix(d.Type, "shipping.") {
			for _, earlier := range parcel.Earlier {
				kinds["shipping.shipment_"+earlier.Stage] = true
			}
		}
		if parent, _ := d.Headers["traceparent"].(string); !strings.Contains(parent, trace) {
			t.Errorf("%s belongs to the trace %q, want %s", d.Type, parent, trace)
		}
		if cause, _ := d.Headers["causationid"].(string); cause == "" && d.Type != "orders.order_placed" { // a request has caused it
			t.Errorf("%s has no cause", d.Type)
		}
		return d.Type == "orders.order_completed"
	})
	for _, kind := range []string{"inventory.stock_reserved", "payments.payment_taken", "shipping.shipment_arranged", "shipping.shipment_dispatched", "shipping.shipment_delivered"} {
		if !kinds[kind] {
			t.Errorf("no %s was heard", kind)
		}
	}
}
