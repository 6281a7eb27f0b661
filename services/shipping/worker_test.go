package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
)

const retrying = 10 * time.Second // longer than testPace's longest wait

func TestThereIsOneParcelWhateverHappensToTheCall(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(string, func()) int{
		"503": badMoment, "502 after the operation": proxyDown, "reset": reset, "timeout": timeout,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			id := uuid.NewString()
			f.receive(arrangement(id))
			f.carrier.goes(fault)
			f.work(0)
			f.wants(id, requested, "")
			if s := f.shipment(id); s.LastError == "" || s.Attempts != 1 || s.AskedAt == nil != (name == "503") {
				t.Errorf("asked at %v, %d attempts, last error %q", s.AskedAt, s.Attempts, s.LastError)
			}
			f.carrier.goes(nil)
			f.work(retrying)
			f.wants(id, arranged, "shipment_arranged")
			// After a call in doubt the worker looks for the parcel and does not ship again.
			if calls, _ := f.carrier.received(""); strings.HasSuffix(calls, "ship find") != (name != "503") {
				t.Errorf("calls: %s", calls)
			}
			if s := f.shipment(id); s.LastError != "" || s.Attempts != 0 || s.AskedAt != nil {
				t.Errorf("asked at %v, %d attempts, last error %q", s.AskedAt, s.Attempts, s.LastError)
			}
		})
	}
}

func TestAWorkerThatDiesIsReplacedByAnother(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		called bool
		calls  string
	}{
		"before the call":                 {false, "find ship"},
		"between the call and the record": {true, "ship find"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			id := uuid.NewString()
			f.receive(arrangement(id))
			dies := f.claim()[0]
			if c.called {
				if _, err := f.dock.ask(t.Context(), dies); err != nil {
					t.Fatal(err)
				}
			}
			if n := f.work(lease - time.Second); n > 0 {
				t.Fatal("the lease does not hold")
			}
			f.work(time.Second)
			f.wants(id, arranged, "shipment_arranged")
			if calls, _ := f.carrier.received(""); calls != c.calls {
				t.Errorf("calls: %s, want %s", calls, c.calls)
			}
			p, err := f.dock.ask(t.Context(), dies) // it was not dead after all
			if err != nil {
				t.Fatal(err)
			}
			if err := f.dock.record(t.Context(), dies, p, nil); err != nil {
				t.Fatal(err)
			}
			f.wants(id, arranged, "shipment_arranged")
		})
	}
}

func TestAPollFindsAllThatIsNew(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	f.receive(arrangement(id))
	f.work(0)
	f.carrier.carry(id, dispatched, inTransit, delivered)
	f.work(time.Second)
	f.wants(id, delivered, "shipment_arranged shipment_dispatched shipment_in_transit shipment_delivered")
}

func TestPollsBecomeRareWhileNothingChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	f.receive(arrangement(id))
	f.work(0)
	wait := func() time.Duration { return f.shipment(id).DueAt.Sub(f.dock.now()) }
	between := func(least, most time.Duration) {
		t.Helper()
		if w := wait(); w < least || w > most {
			t.Errorf("waits %s, want %s to %s", w, least, most)
		}
	}
	between(time.Second/2, time.Second)
	for _, d := range []time.Duration{1, 2, 4, 8, 8, 8} {
		f.work(wait())
		between(d*time.Second/2, d*time.Second)
	}
	f.carrier.carry(id, dispatched)
	f.work(wait())
	between(time.Second/2, time.Second)
	f.carrier.goes(badMoment)
	for _, d := range []time.Duration{1, 2} {
		f.work(wait())
		between(d*time.Second/2, d*time.Second)
	}
	f.wants(id, dispatched, "shipment_arranged shipment_dispatched")
}

func TestAFailureIsAnnouncedWithItsReason(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	back, refused := uuid.NewString(), uuid.NewString()
	nowhere := arrangement(refused)
	nowhere.Address.City = "Nowhere"
	f.receive(arrangement(back), nowhere)
	f.work(0)
	f.carrier.carry(back, dispatched, failed)
	f.work(time.Minute)
	f.wants(back, failed, "shipment_arranged shipment_dispatched shipment_failed")
	f.wants(refused, failed, "shipment_failed")
	if b, r := f.shipment(back), f.shipment(refused); b.Reason != undeliverable || r.Reason != addressRefused || r.TrackingNumber != "" {
		t.Errorf("reasons %s and %s", b.Reason, r.Reason)
	}
	f.receive(cancellation(refused), nowhere)
	f.wants(refused, failed, "shipment_failed shipment_failed shipment_failed")
}

func TestTwoReplicasNeverDoAThingTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var ids []string
	var commands []messages.Message
	for range 60 {
		ids = append(ids, uuid.NewString())
		commands = append(commands, arrangement(ids[len(ids)-1]))
	}
	for range 2 {
		db, err := postgres.Open(t.Context(), f.db.Config().ConnString(), "replica", testkit.Log(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		d := newDock(db, testkit.Log(t), f.carrier.client(t), testSettings, pace{Every: 20 * time.Millisecond, Most: 100 * time.Millisecond})
		testkit.Go(t, d.worker.Run)
		testkit.Go(t, d.tracker().Run)
	}
	f.receive(commands...)
	all := func(is status) func() bool {
		return func() bool {
			var others int
			err := f.db.QueryRow(context.Background(), `SELECT count(*) FROM shipments WHERE status <> $1`, is).Scan(&others)
			return err == nil && others == 0
		}
	}
	testkit.Until(t, "all are arranged", all(arranged))
	for _, id := range ids {
		f.carrier.carry(id, dispatched, inTransit)
	}
	testkit.Until(t, "all are in transit", all(inTransit))
	for _, id := range ids {
		f.carrier.carry(id, delivered)
	}
	testkit.Until(t, "all are delivered", all(delivered))
	for _, id := range ids {
		f.wants(id, delivered, "shipment_arranged shipment_dispatched shipment_in_transit shipment_delivered")
	}
	if _, ships := f.carrier.received("ship"); ships != len(ids) {
		t.Errorf("%d shipments took %d calls", len(ids), ships)
	}
}

func TestAShipmentThatIsLockedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	held, free := uuid.NewString(), uuid.NewString()
	f.receive(arrangement(held), arrangement(free))
	err := f.db.Tx(t.Context(), func(tx *postgres.Tx) error {
		w := f.dock.work()
		w.shipments.Name(held)
		if err := w.Load(t.Context(), tx); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		claims, err := claimShipments(ctx, f.db, 2, f.dock.now(), lease)
		if err == nil && (len(claims) != 1 || claims[0].OrderID != free) {
			t.Errorf("%d claims", len(claims))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestShipmentsUnderWayAreCounted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.receive(arrangement(uuid.NewString()), cancellation(uuid.NewString()))
	f.work(time.Second)
	f.receive(arrangement(uuid.NewString()), arrangement(uuid.NewString()))
	got, err := countUnderWay(t.Context(), f.db)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, u := range got {
		if want := map[status]int64{arranged: 1, requested: 2}[u.Status]; u.Count != want || !u.Oldest.Equal(day.Add(time.Second)) {
			t.Errorf("%+v", u)
		}
	}
}

func TestAnErrorOfTheDatabaseIsReportedWithThatOfTheCarrier(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	f.receive(arrangement(id))
	c := f.claim()[0]
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.dock.process(gone, c); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "ship order") {
		t.Errorf("%v", err)
	}
	f.work(lease)
	f.wants(id, arranged, "shipment_arranged")
}
