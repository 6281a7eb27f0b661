package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
)

func TestACancellationThatComesFirstLeavesATombstone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	f.receive(cancellation(id))
	f.wants(id, cancelled, "shipment_cancelled")
	f.receive(arrangement(id), cancellation(id))
	f.wants(id, cancelled, "shipment_cancelled shipment_cancelled shipment_cancelled")
	f.work(time.Hour)
	if calls, _ := f.carrier.received(""); calls != "" {
		t.Errorf("the carrier was called: %s", calls)
	}
}

func TestACancellationAtTheCarrier(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		moved  []status // between the cancellation and the call
		fault  func(string, func()) int
		end    status
		events string
	}{
		"before it has left":                  {nil, nil, cancelled, "shipment_cancelled"},
		"before it has left, with a bad line": {nil, reset, cancelled, "shipment_cancelled"},
		"when it has just left":               {[]status{dispatched}, nil, dispatched, "cancellation_refused shipment_dispatched"},
		"when it has just left, 503":          {[]status{dispatched}, badMoment, dispatched, "cancellation_refused shipment_dispatched"},
		"when it has just failed":             {[]status{dispatched, failed}, nil, failed, "shipment_dispatched shipment_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			id := uuid.NewString()
			f.receive(arrangement(id))
			f.work(0)
			f.carrier.carry(id, c.moved...)
			f.receive(cancellation(id))
			f.wants(id, arranged, "shipment_arranged")
			if c.fault != nil {
				f.carrier.goes(c.fault)
				f.work(0)
				f.carrier.goes(nil)
				f.wants(id, arranged, "shipment_arranged")
			}
			f.work(retrying)
			f.wants(id, c.end, "shipment_arranged "+c.events)
			if c.end == dispatched { // the parcel goes on to the customer
				f.carrier.carry(id, inTransit, delivered)
				f.work(retrying)
				f.wants(id, delivered, "shipment_arranged "+c.events+" shipment_in_transit shipment_delivered")
			}
		})
	}
}

// The cancellation is handled while a worker waits for the carrier.
func TestACancellationDuringTheCall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault func(string, func()) int // of the carrier's answer to the call
		first string                   // events after the call
		last  string                   // events in the end
		calls string
	}{
		"that is answered":    {nil, "shipment_arranged", "shipment_arranged shipment_cancelled", "ship cancel"},
		"that fails":          {badMoment, "shipment_cancelled", "shipment_cancelled", ""},
		"without an answer":   {reset, "", "shipment_arranged shipment_cancelled", "ship find cancel"},
		"that the line keeps": {func(string, func()) int { return 502 }, "", "shipment_cancelled", "find find"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			id := uuid.NewString()
			f.receive(arrangement(id))
			f.carrier.goes(c.fault)
			working := f.claim()[0]
			p, err := f.dock.ask(t.Context(), working)
			f.receive(cancellation(id))
			f.wants(id, requested, "")
			if err := f.dock.record(t.Context(), working, p, err); err != nil {
				t.Fatal(err)
			}
			if got := f.sent(id); got != c.first {
				t.Errorf("tells %q, want %q", got, c.first)
			}
			f.carrier.goes(nil)
			f.work(0)
			f.work(30 * time.Second) // when "there is no parcel" counts
			f.wants(id, cancelled, c.last)
			if calls, _ := f.carrier.received(""); calls != c.calls {
				t.Errorf("calls: %s, want %s", calls, c.calls)
			}
			if s := f.carrier.status(id); s != "" && s != cancelled {
				t.Errorf("the parcel is %s", s)
			}
		})
	}
}

// A worker freezes before its call, for longer than its lease. It then ships an order that was cancelled meanwhile.
func TestAParcelThatAFrozenWorkerHasShippedIsCalledBack(t *testing.T) {
	t.Parallel()
	for name, moved := range map[string][]status{"in time": nil, "too late": {dispatched}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			id := uuid.NewString()
			f.receive(arrangement(id))
			frozen := f.claim()[0]
			f.receive(cancellation(id))
			f.work(lease)
			f.wants(id, cancelled, "shipment_cancelled")
			if err := f.dock.process(t.Context(), frozen); err != nil {
				t.Fatal(err)
			}
			f.carrier.carry(id, moved...)
			f.work(0)
			f.wants(id, cancelled, "shipment_cancelled")
			s := f.shipment(id)
			if moved == nil && (f.carrier.status(id) != cancelled || s.LastError != "") || moved != nil && s.LastError != astray || s.DueAt != nil {
				t.Errorf("the parcel is %s, last error %q, due at %v", f.carrier.status(id), s.LastError, s.DueAt)
			}
		})
	}
}

// A cancellation that arrives while a worker records the dispatch waits, and is decided after it.
func TestACancellationWaitsForTheRecord(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	f.receive(arrangement(id))
	f.work(0)
	handled := make(chan error, 1)
	err := f.db.Tx(t.Context(), func(tx *postgres.Tx) error {
		w := f.dock.work()
		w.shipments.Name(id)
		if err := w.Load(t.Context(), tx); err != nil {
			return err
		}
		s := w.of(id)
		w.put(s.Origin, s.apply(claim{shipment: s}, parcel{TrackingNumber: "S1", Stages: []stage{{dispatched, day}}}, day, soon))
		err := w.Save(t.Context(), tx)
		go func() {
			handled <- f.inbox.Handle(context.Background(), []bus.Delivery{delivery(cancellation(id))})[0]
		}()
		testkit.Until(t, "the cancellation waits", func() bool {
			var waits bool
			err := f.db.QueryRow(t.Context(), `SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waits)
			return err == nil && waits
		})
		return err
	})
	if err := errors.Join(err, <-handled); err != nil {
		t.Fatal(err)
	}
	f.wants(id, dispatched, "shipment_arranged shipment_dispatched cancellation_refused")
}
