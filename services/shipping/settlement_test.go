package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
)

func TestTheOutcomeOfASettlementForAShipment(t *testing.T) {
	t.Parallel()
	at := func(stages ...status) shipment {
		s := shipment{OrderID: "o", Status: requested, DueAt: &day, Stages: []stage{}}
		return s.apply(claim{shipment: s}, on(stages...), day, soon).shipment
	}
	wanted, troubled := at(arranged), shipment{OrderID: "o", Status: requested, DueAt: &day, Stages: []stage{}, CancelWanted: true, AskedAt: &day, LastError: "no luck"}
	wanted.CancelWanted = true
	for _, row := range []struct {
		what   string
		in     shipment
		end    status
		events string
		ok     bool
	}{
		{"lost on its way", at(arranged, dispatched), failed, "shipment_failed", true},
		{"delivered, and the carrier does not say so", at(arranged, dispatched, inTransit), delivered, "shipment_delivered", true},
		{"to be called back, and the carrier knows nothing of it", wanted, failed, "shipment_failed", true},
		{"to be called back, and it has arrived", wanted, delivered, "shipment_delivered", true},
		{"nobody can ask whether it was shipped", troubled, failed, "shipment_failed", true},
		{"nobody can have got what has no number", troubled, delivered, "", false},
		{"nothing keeps it from being shipped", shipment{OrderID: "o", Status: requested, DueAt: &day}, failed, "", false},
		{"it has arrived", at(arranged, dispatched, inTransit, delivered), failed, "", false},
		{"nobody's shipment", shipment{}, failed, "", false},
	} {
		got, ok := row.in.settle(row.end, settlement{"olga", "they told me", &day}, day.Add(time.Hour))
		if ok != row.ok || kinds(got.send) != row.events {
			t.Errorf("%s: %t %q, want %t %q", row.what, ok, kinds(got.send), row.ok, row.events)
		}
		if !ok {
			continue
		}
		if s := got.shipment; s.Status != row.end || s.DueAt != nil || s.CancelWanted {
			t.Errorf("%s: %+v", row.what, s)
		}
		late := got.shipment.apply(claim{shipment: row.in}, on(arranged, dispatched, inTransit, delivered), day.Add(2*time.Hour), soon)
		if late.shipment.Status != row.end || len(late.send) > 0 {
			t.Errorf("%s: the carrier says something else after all: %s, %q", row.what, late.shipment.Status, kinds(late.send))
		}
		again, ok := got.shipment.settle(row.end, settlement{"oscar", "another", &day}, day.Add(3*time.Hour))
		if !ok || again.shipment.SettledBy != "olga" || len(again.send) > 0 {
			t.Errorf("%s, settled again: %t %+v", row.what, ok, again)
		}
	}
}

// A parcel that the carrier has lost, or that was called back there by hand, does not keep an order waiting for ever.
func TestAnOrderDoesNotWaitForEverForAParcelThatTheCarrierHasLost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	byHand, lost := uuid.NewString(), uuid.NewString()
	for _, id := range []string{byHand, lost} {
		f.receive(arrangement(id))
		f.work(0)
	}
	f.carrier.carry(byHand, cancelled)
	f.carrier.forget(lost)
	f.work(time.Minute)
	f.wants(byHand, failed, "shipment_arranged shipment_failed")
	f.receive(cancellation(lost))
	f.work(time.Minute)
	if s := f.shipment(lost); s.Status != arranged || s.LastError == "" {
		t.Fatalf("%+v", s)
	}
	path, operator := "/api/shipments/"+lost+"/settlement", f.token(time.Hour, identity.ScopeOperations)
	for body, want := range map[string]int{
		`{"outcome":"failed","reason":""}`:        http.StatusUnprocessableEntity,
		`{"outcome":"in_transit","reason":"why"}`: http.StatusUnprocessableEntity,
		`{"reason":"why"}`:                        http.StatusUnprocessableEntity,
	} {
		if response, answer := f.post(path, operator, body); response.StatusCode != want {
			t.Errorf("%s: %d %s", body, response.StatusCode, answer)
		}
	}
	if response, _ := f.post(path, f.token(time.Hour, identity.ScopeOrders), `{"outcome":"failed","reason":"why"}`); response.StatusCode != http.StatusForbidden {
		t.Errorf("a customer settles: %d", response.StatusCode)
	}
	response, answer := f.post(path, operator, `{"outcome":"failed","reason":" their depot\u200b has burnt down\u00a0"}`)
	var body shipmentBody
	if err := json.Unmarshal(answer, &body); err != nil || response.StatusCode != http.StatusOK || body.Status != failed || body.Settlement.Operator != "olga" || body.NextAttemptAt != nil {
		t.Fatalf("%d %s", response.StatusCode, answer)
	}
	f.wants(lost, failed, "shipment_arranged shipment_failed")
	if got := f.shipment(lost).announced(0)[0]; got.(messages.ShipmentFailed).Settled.Reason != "their depot has burnt down" {
		t.Errorf("%+v", got)
	}
	if response, answer := f.post("/api/shipments/"+byHand+"/settlement", operator, `{"outcome":"delivered","reason":"why"}`); response.StatusCode != http.StatusConflict {
		t.Errorf("at its end already: %d %s", response.StatusCode, answer)
	}
}
