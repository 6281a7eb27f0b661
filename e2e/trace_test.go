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
	outside := strings.ReplaceAll(uuid.NewString(), "-", "")
	var o struct{ ID string }
	c.Must(http.StatusAccepted, "alice", http.MethodPost, "/api/orders", stories.Wish{SKU: c.Product(5, 0, 0)}.JSON(),
		"Idempotency-Key", uuid.NewString(), "Traceparent", "00-"+outside+"-b7ad6b7169203331-01", "Tracestate", "outside=1").Into(t, &o)
	c.End(o.ID)
	var seen struct {
		TraceID string `json:"trace_id"`
	}
	c.Must(http.StatusOK, "alice", http.MethodGet, "/api/orders/"+o.ID+"/tracking", "").Into(t, &seen)
	if seen.TraceID != "" {
		t.Error("a customer sees the trace")
	}
	c.Must(http.StatusOK, "olga", http.MethodGet, "/api/orders/"+o.ID+"/tracking", "").Into(t, &seen)
	if len(seen.TraceID) != 32 || seen.TraceID == outside {
		t.Fatalf("the trace is %q; that of the request from outside was %s", seen.TraceID, outside)
	}

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
		if parent, _ := d.Headers["traceparent"].(string); !strings.Contains(parent, seen.TraceID) || d.Headers["tracestate"] != nil {
			t.Errorf("%s belongs to the trace %q with the state %v, want %s", d.Type, parent, d.Headers["tracestate"], seen.TraceID)
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
