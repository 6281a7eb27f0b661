package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
	"example.com/orderflow/pkg/unit"
)

// shipped makes n orders with arranged shipments, and returns their ids.
func (f *fixture) shipped(n int) (ids []string) {
	f.Helper()
	var commands []bus.Delivery
	for range n {
		ids = append(ids, uuid.NewString())
		commands = append(commands, delivery(arrangement(ids[len(ids)-1])))
	}
	for _, err := range f.inbox.Handle(f.Context(), commands) {
		if err != nil {
			f.Fatal(err)
		}
	}
	for f.work(0) > 0 {
	}
	return ids
}

// written returns the transactions that last wrote the rows of orders, and whether a row was locked after that.
func (f *fixture) written(ids ...string) (transactions []string, locked bool) {
	f.Helper()
	err := f.db.QueryRow(f.Context(), `
		SELECT array_agg(DISTINCT xmin::text), bool_or(xmax <> '0' AND xmax <> xmin)
		FROM shipments
		WHERE order_id = ANY($1::uuid[])`, ids).Scan(&transactions, &locked)
	if err != nil {
		f.Fatal(err)
	}
	return transactions, locked
}

func TestManyParcelsAreTrackedWithOneCallAndOnlyChangesAreWritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ids := f.shipped(5)
	left, arrived, lost, quiet := ids[0], ids[1], ids[2], ids[3:]
	f.carrier.carry(left, dispatched)
	f.carrier.carry(arrived, dispatched, inTransit, delivered)
	f.carrier.forget(lost)
	if n := f.look(); n != 0 {
		t.Fatalf("%d were not due", n)
	}
	f.later(time.Second)
	if n := f.look(); n != 5 {
		t.Fatalf("%d were due", n)
	}
	if asked := f.carrier.asked; len(asked) != 1 || len(asked[0]) != 5 {
		t.Errorf("asked about %v", asked)
	}
	f.wants(left, dispatched, "shipment_arranged shipment_dispatched")
	f.wants(arrived, delivered, "shipment_arranged shipment_dispatched shipment_in_transit shipment_delivered")
	for _, id := range append(quiet, lost) {
		f.wants(id, arranged, "shipment_arranged")
		s := f.shipment(id)
		if wait := s.DueAt.Sub(f.dock.now()); s.Attempts != 1 || wait < time.Second/2 || wait > time.Second {
			t.Errorf("%d attempts, due in %s", s.Attempts, wait)
		}
		if id == lost != strings.Contains(s.LastError, "does not name") {
			t.Errorf("last error %q", s.LastError)
		}
	}
	claimed, locked := f.written(quiet...)
	recorded, _ := f.written(left, arrived, lost)
	if len(claimed) != 1 || len(recorded) != 1 || claimed[0] == recorded[0] || locked {
		t.Errorf("without progress written in %v, locked after that: %t; with progress in %v", claimed, locked, recorded)
	}

	f.carrier.carry(quiet[0], dispatched) // each parcel has an error of its own, and none is recorded twice
	f.later(2 * time.Second)
	f.look()
	f.wants(quiet[0], dispatched, "shipment_arranged shipment_dispatched")
	if claimed, locked := f.written(left, lost, quiet[1]); len(claimed) != 1 || locked {
		t.Errorf("without progress written in %v, locked after that: %t", claimed, locked)
	}
}

func TestACallHasAHundredParcelsAtMost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.shipped(unit.Most + 1)
	f.later(time.Second)
	for _, want := range []int{unit.Most, 1, 0} {
		if n := f.look(); n != want {
			t.Errorf("a look at %d, want %d", n, want)
		}
	}
	if asked := f.carrier.asked; len(asked) != 2 || len(asked[0]) != unit.Most || len(asked[1]) != 1 {
		t.Errorf("%d calls", len(asked))
	}
}

func TestACallThatFailsLosesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ids := f.shipped(3)
	f.carrier.goes(badMoment)
	for i, d := range []time.Duration{1, 2} {
		f.later(d * time.Second)
		if n, err := f.dock.look(t.Context()); n != 3 || err == nil {
			t.Fatalf("a look at %d: %v", n, err)
		}
		for _, id := range ids {
			s := f.shipment(id)
			if wait := s.DueAt.Sub(f.dock.now()); s.Attempts != i+1 || wait < d*time.Second/2 || wait > d*time.Second || !strings.Contains(s.LastError, "track parcels") {
				t.Errorf("%d attempts, due in %s, last error %q", s.Attempts, wait, s.LastError)
			}
		}
	}
	f.carrier.goes(nil)
	f.carrier.carry(ids[0], dispatched)
	f.later(2 * time.Second)
	f.look()
	f.wants(ids[0], dispatched, "shipment_arranged shipment_dispatched")
	for _, id := range ids {
		if s := f.shipment(id); s.LastError != "" || s.Attempts != 3 && id != ids[0] {
			t.Errorf("%d attempts, last error %q", s.Attempts, s.LastError)
		}
	}
}

// The shipment is cancelled while the carrier is being asked where the parcel is. The worker must call it back at once,
// whatever the answer.
func TestACancellationWhileAParcelIsTracked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		moved  []status
		status int // HTTP status of the answer, if it is an error
		end    status
		events string
	}{
		"that has not moved":     {nil, 0, cancelled, "shipment_cancelled"},
		"without an answer":      {nil, 503, cancelled, "shipment_cancelled"},
		"that has left":          {[]status{dispatched}, 0, dispatched, "cancellation_refused shipment_dispatched"},
		"that has left, and 503": {[]status{dispatched}, 503, dispatched, "cancellation_refused shipment_dispatched"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			ids := f.shipped(2)
			id, other := ids[0], ids[1]
			f.carrier.carry(id, c.moved...)
			f.carrier.carry(other, dispatched)
			f.later(time.Second)
			var handled []error
			f.carrier.goes(func(string, func()) int {
				handled = append(handled, f.inbox.Handle(context.Background(), []bus.Delivery{delivery(cancellation(id))})...)
				return c.status
			})
			f.look()
			if len(handled) == 0 || slices.ContainsFunc(handled, func(err error) bool { return err != nil }) {
				t.Fatal(handled)
			}
			f.carrier.goes(nil)
			f.work(0)
			f.wants(id, c.end, "shipment_arranged "+c.events)
			if s := f.carrier.status(id); s != c.end {
				t.Errorf("the parcel is %s", s)
			}
			f.work(time.Second)
			f.wants(other, dispatched, "shipment_arranged shipment_dispatched")
		})
	}
}

func TestATrackerThatDiesIsReplacedByAnother(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.shipped(1)[0]
	f.later(time.Second)
	dies, err := claimFollowed(t.Context(), f.db, unit.Most, f.dock.now(), testPace)
	if err != nil || len(dies) != 1 {
		t.Fatalf("%d claims, %v", len(dies), err)
	}
	f.carrier.carry(id, dispatched)
	if n := f.look(); n != 0 {
		t.Fatal("it is not due again yet")
	}
	f.later(time.Second)
	f.look()
	f.wants(id, dispatched, "shipment_arranged shipment_dispatched")
	due := f.shipment(id).DueAt
	for _, late := range [][]status{{arranged, dispatched}, {arranged}} { // the first tracker was not dead after all
		if err := f.dock.office.Decide(t.Context(), []unit.Decision[*work]{dies[0].outcome(t.Context(), parcelOf(dies[0], late), nil)})[0]; err != nil {
			t.Fatal(err)
		}
	}
	f.wants(id, dispatched, "shipment_arranged shipment_dispatched")
	if now := f.shipment(id).DueAt; !same(now, due) {
		t.Errorf("due at %s, and then at %s", due, now)
	}
}

// parcelOf returns the carrier's parcel for a claim, with the given stages.
func parcelOf(c claim, stages []status) parcel {
	p := on(stages...)
	p.TrackingNumber = c.TrackingNumber
	return p
}

// Each shipment that is due is claimed by the worker or by the tracker: by the worker if it needs a call of its own.
func TestTheWorkerAndTheTrackerShareTheDueShipments(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ids := f.shipped(2)
	wanted, followed, asked := ids[0], ids[1], uuid.NewString()
	f.receive(cancellation(wanted), arrangement(asked))
	f.later(time.Second)
	tracked, err := claimFollowed(t.Context(), f.db, unit.Most, f.dock.now(), testPace)
	if err != nil || len(tracked) != 1 || tracked[0].OrderID != followed {
		t.Errorf("the tracker has %d, %v", len(tracked), err)
	}
	claims := f.claim()
	slices.SortFunc(claims, func(a, b claim) int { return strings.Compare(a.OrderID, b.OrderID) })
	want := []string{wanted, asked}
	slices.Sort(want)
	if len(claims) != 2 || claims[0].OrderID != want[0] || claims[1].OrderID != want[1] {
		t.Errorf("the worker has %d", len(claims))
	}
}

// Without a pause, an arranged shipment is due at once. It is for the tracker, not for the worker that runs already.
func TestAFollowedShipmentIsNotLentToTheWorker(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.dock.pace = pace{}
	testkit.Go(t, f.dock.worker.Run)
	id := uuid.NewString()
	f.receive(arrangement(id))
	testkit.Until(t, "it is arranged", func() bool { return f.shipment(id).Status == arranged })
	f.carrier.carry(id, dispatched)
	if n := f.look(); n != 1 {
		t.Errorf("a look at %d", n)
	}
	f.wants(id, dispatched, "shipment_arranged shipment_dispatched")
	if calls, _ := f.carrier.received(""); calls != "ship track" {
		t.Errorf("calls: %s", calls)
	}
}
