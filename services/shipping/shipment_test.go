package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orderflow/pkg/messages"
)

var day = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func soon(attempts int) time.Time { return day.Add(time.Duration(attempts) * time.Hour) }

// on returns a parcel that has reached the given stages, one a second.
func on(stages ...status) parcel {
	p := parcel{Carrier: "Swift", TrackingNumber: "S1", EstimatedDelivery: day.Add(time.Hour)}
	for i, s := range stages {
		p.Stages = append(p.Stages, stage{s, day.Add(time.Duration(i) * time.Second)})
	}
	return p
}

func TestStagesFromTheCarrierAreAnnouncedOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		known  []status
		says   []status
		events string
		end    status
	}{
		{"the first answer", nil, []status{arranged}, "shipment_arranged", arranged},
		{"nothing new", []status{arranged}, []status{arranged}, "", arranged},
		{"one more", []status{arranged}, []status{arranged, dispatched}, "shipment_dispatched", dispatched},
		{"three at once", []status{arranged}, []status{arranged, dispatched, inTransit, delivered}, "shipment_dispatched shipment_in_transit shipment_delivered", delivered},
		{"all at once", nil, []status{arranged, dispatched, inTransit, delivered}, "shipment_arranged shipment_dispatched shipment_in_transit shipment_delivered", delivered},
		{"in another order", []status{arranged}, []status{delivered, inTransit, dispatched, arranged}, "shipment_dispatched shipment_in_transit shipment_delivered", delivered},
		{"one of them twice", []status{arranged}, []status{arranged, dispatched, inTransit, inTransit}, "shipment_dispatched shipment_in_transit", inTransit},
		{"a stage is skipped", []status{arranged}, []status{arranged, inTransit}, "shipment_in_transit", inTransit},
		{"and told later", []status{arranged, inTransit}, []status{arranged, dispatched, inTransit}, "shipment_dispatched", inTransit},
		{"less than before", []status{arranged, dispatched}, []status{arranged}, "", dispatched},
		{"a stage of its own", []status{arranged}, []status{arranged, "customs", dispatched}, "shipment_dispatched", dispatched},
		{"requested is no stage", []status{arranged}, []status{requested, arranged}, "", arranged},
		{"it comes back", []status{arranged, dispatched}, []status{arranged, dispatched, inTransit, failed}, "shipment_in_transit shipment_failed", failed},
		{"two ends", []status{arranged}, []status{arranged, failed, delivered}, "shipment_failed", failed},
		{"cancelled by nobody here", []status{arranged}, []status{arranged, cancelled}, "shipment_failed", failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := shipment{OrderID: "o", Status: requested, DueAt: &day, Stages: []stage{}}
			if c.known != nil {
				s = s.apply(claim{shipment: s}, on(c.known...), day, soon).shipment
			}
			before := slices.Clone(s.Stages)
			out := s.apply(claim{shipment: s}, on(c.says...), day.Add(time.Minute), soon)
			if got := kinds(out.send); got != c.events || len(out.send) > 1 || out.shipment.Status != c.end {
				t.Errorf("%s, tells %q\nwant %s, %q", out.shipment.Status, got, c.end, c.events)
			}
			if got := kinds(out.shipment.announced(len(before))); got != c.events {
				t.Errorf("repeats %q, want %q", got, c.events)
			}
			again := out.shipment.apply(claim{shipment: out.shipment}, on(c.says...), day.Add(time.Hour), soon)
			if len(again.send) > 0 {
				t.Errorf("the same answer again tells %q", kinds(again.send))
			}
			if out.shipment.Status.final() != (out.shipment.DueAt == nil) {
				t.Errorf("%s is due at %v", out.shipment.Status, out.shipment.DueAt)
			}
		})
	}
}

func TestEventsCarryTheCarriersData(t *testing.T) {
	t.Parallel()
	at := func(n int) time.Time { return day.Add(time.Duration(n) * time.Second) }
	s := shipment{OrderID: "o", Status: requested, DueAt: &day, Stages: []stage{}}
	out := s.apply(claim{shipment: s}, on(arranged, dispatched, inTransit, delivered), day.Add(time.Hour), soon)
	want := []messages.Message{messages.ShipmentDelivered{ShipmentChange: messages.ShipmentChange{
		OrderID: "o", Carrier: "Swift", TrackingNumber: "S1", EstimatedDelivery: day.Add(time.Hour), At: at(3),
		Earlier: []messages.ShipmentStage{{Stage: "arranged", At: at(0)}, {Stage: "dispatched", At: at(1)}, {Stage: "in_transit", At: at(2)}},
	}}}
	if diff := cmp.Diff(want, out.send); diff != "" {
		t.Error(diff)
	}
	broken := messages.ShipmentChange{
		OrderID: "o", Carrier: "Swift", TrackingNumber: "S1", EstimatedDelivery: day.Add(time.Hour), At: at(1),
		Reason: "undeliverable", Earlier: []messages.ShipmentStage{{Stage: "arranged", At: at(0)}},
	}
	stopped := broken
	stopped.Reason = "cancelled_by_carrier"
	for _, c := range []struct {
		p    parcel
		want messages.ShipmentChange
	}{
		{on(arranged, failed), broken},
		{on(arranged, cancelled), stopped},
		{parcel{Refused: addressRefused}, messages.ShipmentChange{OrderID: "o", Reason: "address_refused", At: at(9)}},
	} {
		sent := s.apply(claim{shipment: s}, c.p, at(9), soon).send
		if diff := cmp.Diff([]messages.Message{messages.ShipmentFailed{ShipmentChange: c.want}}, sent); diff != "" {
			t.Error(diff)
		}
	}
}

func TestTheWaitIsShortAfterProgressAndThenGrows(t *testing.T) {
	t.Parallel()
	s := shipment{OrderID: "o", Status: arranged, TrackingNumber: "S1", DueAt: &day, Attempts: 7, Stages: on(arranged).Stages}
	for _, c := range []struct {
		name string
		p    parcel
		due  int
	}{
		{"nothing new", on(arranged), 7},
		{"progress", on(arranged, dispatched), 0},
	} {
		if due := s.apply(claim{shipment: s}, c.p, day, soon).shipment.DueAt; !due.Equal(soon(c.due)) {
			t.Errorf("%s: due at %s, want %s", c.name, due, soon(c.due))
		}
	}
	lost := claim{shipment: s}
	lost.DueAt = new(day.Add(-time.Minute)) // another worker has claimed it since
	if due := s.apply(lost, on(arranged), day, soon).shipment.DueAt; !due.Equal(day) {
		t.Errorf("a worker without its lease puts the shipment off until %s", due)
	}
	if due := s.unanswered(lost, true, "", day, soon).shipment.DueAt; !due.Equal(day) {
		t.Errorf("a worker without its lease or an answer puts the shipment off until %s", due)
	}
}

func TestAParcelThatWasCancelledWhileItWasArrangedIsCalledBackAtOnce(t *testing.T) {
	t.Parallel()
	s := shipment{OrderID: "o"}.arrange(messages.ArrangeShipment{OrderID: "o"}, day).shipment
	arranging := leased(s)
	asking := leased(arranging.cancel(day).shipment) // claimed by another worker, which learns nothing yet
	s = asking.unanswered(asking, true, "no parcel so far", day, soon).shipment
	if due := s.DueAt; !due.Equal(soon(1)) {
		t.Fatalf("due at %s", due)
	}
	if due := s.apply(arranging, on(arranged), day, soon).shipment.DueAt; !due.Equal(day) {
		t.Errorf("due at %s", due)
	}
}

// Each way that a cancellation can go, as a script without a broker, a database and a carrier.
func TestCancelling(t *testing.T) {
	t.Parallel()
	arrange := func(s shipment) outcome { return s.arrange(messages.ArrangeShipment{OrderID: "o"}, day) }
	cancel := func(s shipment) outcome { return s.cancel(day) }
	says := func(p parcel) func(shipment) outcome { // the answer to a claim of this moment
		return func(s shipment) outcome {
			c := leased(s)
			return c.apply(c, p, day, soon)
		}
	}
	meanwhile := func(p parcel, then ...func(shipment) outcome) func(shipment) outcome { // the answer to a claim that was made before something else happened
		return func(s shipment) (all outcome) {
			c := leased(s)
			s = c.shipment
			for _, step := range then {
				t := step(s)
				s, all.send = t.shipment, append(all.send, t.send...)
			}
			t := s.apply(c, p, day, soon)
			return outcome{t.shipment, append(all.send, t.send...)}
		}
	}
	fails := func(noEffect bool, then ...func(shipment) outcome) func(shipment) outcome {
		return func(s shipment) outcome {
			c := leased(s)
			s = c.shipment
			for _, step := range then {
				s = step(s).shipment
			}
			return s.unanswered(c, noEffect, "no answer", day, soon)
		}
	}
	kept := on(arranged)
	kept.Kept = true
	for _, c := range []struct {
		name   string
		script []func(shipment) outcome
		events string
		end    status
		wanted bool // the carrier must still call it back
	}{
		{"before it was asked for", []func(shipment) outcome{cancel}, "shipment_cancelled", cancelled, false},
		{"before it was asked for, and then it is", []func(shipment) outcome{cancel, arrange}, "shipment_cancelled shipment_cancelled", cancelled, false},
		{"before the carrier was asked", []func(shipment) outcome{arrange, cancel}, "shipment_cancelled", cancelled, false},
		{"twice", []func(shipment) outcome{arrange, cancel, cancel}, "shipment_cancelled shipment_cancelled", cancelled, false},
		{"after the carrier was away", []func(shipment) outcome{arrange, fails(true), cancel}, "shipment_cancelled", cancelled, false},
		{"while the carrier is away", []func(shipment) outcome{arrange, fails(true, cancel)}, "shipment_cancelled", cancelled, false},
		{"after the carrier gave no answer", []func(shipment) outcome{arrange, fails(false), cancel}, "", requested, true},
		{"while the carrier gives no answer", []func(shipment) outcome{arrange, fails(false, cancel)}, "", requested, true},
		{"and it turns out that there is no parcel", []func(shipment) outcome{arrange, fails(false), cancel, says(parcel{})}, "shipment_cancelled", cancelled, false},
		{"and it turns out that there is one", []func(shipment) outcome{arrange, fails(false), cancel, says(on(arranged, cancelled))}, "shipment_arranged shipment_cancelled", cancelled, false},
		{"and it turns out that the address was refused", []func(shipment) outcome{arrange, fails(false), meanwhile(parcel{Refused: addressRefused}, cancel)}, "shipment_failed", failed, false},
		{"while it is being arranged", []func(shipment) outcome{arrange, meanwhile(on(arranged), cancel)}, "shipment_arranged", arranged, true},
		{"while it is being arranged, and called back", []func(shipment) outcome{arrange, meanwhile(on(arranged), cancel), says(on(arranged, cancelled))}, "shipment_arranged shipment_cancelled", cancelled, false},
		{"once arranged", []func(shipment) outcome{arrange, says(on(arranged)), cancel, says(on(arranged, cancelled))}, "shipment_arranged shipment_cancelled", cancelled, false},
		{"twice once arranged", []func(shipment) outcome{arrange, says(on(arranged)), cancel, cancel}, "shipment_arranged", arranged, true},
		{"when the carrier refuses", []func(shipment) outcome{arrange, says(on(arranged)), cancel, says(kept)}, "shipment_arranged cancellation_refused", arranged, false},
		{"when the carrier refuses, and again", []func(shipment) outcome{arrange, says(on(arranged)), cancel, says(kept), cancel, says(kept)}, "shipment_arranged cancellation_refused cancellation_refused", arranged, false},
		{"when a poll finds that it has left", []func(shipment) outcome{arrange, says(on(arranged)), meanwhile(on(arranged, dispatched), cancel)}, "shipment_arranged cancellation_refused shipment_dispatched", dispatched, false},
		{"when a poll finds that it is there", []func(shipment) outcome{arrange, says(on(arranged)), meanwhile(on(arranged, dispatched, delivered), cancel)}, "shipment_arranged cancellation_refused shipment_dispatched shipment_delivered", delivered, false},
		{"when a poll finds that it has failed", []func(shipment) outcome{arrange, says(on(arranged)), meanwhile(on(arranged, failed), cancel)}, "shipment_arranged shipment_failed", failed, false},
		{"when it has left", []func(shipment) outcome{arrange, says(on(arranged, dispatched)), cancel}, "shipment_arranged shipment_dispatched cancellation_refused", dispatched, false},
		{"when it has failed", []func(shipment) outcome{arrange, says(on(arranged, failed)), cancel}, "shipment_arranged shipment_failed shipment_failed", failed, false},
		{"a frozen worker shipped it after all", []func(shipment) outcome{arrange, meanwhile(on(arranged), cancel, says(parcel{}))}, "shipment_cancelled", cancelled, true},
		{"a frozen worker may have shipped it after all", []func(shipment) outcome{arrange, fails(false, cancel, says(parcel{}))}, "", cancelled, true},
		{"a frozen worker has not", []func(shipment) outcome{arrange, fails(true, cancel, says(parcel{}))}, "", cancelled, false},
		{"what a frozen worker shipped is called back", []func(shipment) outcome{arrange, meanwhile(on(arranged), cancel, says(parcel{})), says(on(arranged, cancelled))}, "shipment_cancelled", cancelled, false},
		{"what a frozen worker shipped has left", []func(shipment) outcome{arrange, meanwhile(on(arranged), cancel, says(parcel{})), says(kept)}, "shipment_cancelled", cancelled, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := shipment{OrderID: "o"}
			var sent []messages.Message
			for _, step := range c.script {
				out := step(s)
				s, sent = out.shipment, append(sent, out.send...)
			}
			if got := kinds(sent); got != c.events || s.Status != c.end || s.CancelWanted != c.wanted {
				t.Errorf("%s, wanted %t, tells %q\nwant %s, wanted %t, %q", s.Status, s.CancelWanted, got, c.end, c.wanted, c.events)
			}
			if wants := c.wanted || !c.end.final(); wants != (s.DueAt != nil) {
				t.Errorf("due at %v", s.DueAt)
			}
		})
	}
}

// leased returns a claim of a shipment as the SQL statement of the claim makes it.
func leased(s shipment) claim {
	c := claim{s, s.AskedAt}
	c.DueAt = new(day.Add(lease))
	c.Attempts++
	if c.ships() {
		c.AskedAt = new(day)
	}
	return c
}

// kinds returns the kinds of messages without the name of their service: each stage of a parcel has a name of its own.
func kinds(msgs []messages.Message) string {
	var names []string
	for _, m := range msgs {
		for _, told := range messages.Unfold(m) {
			_, name, _ := strings.Cut(told.Kind(), ".")
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}
