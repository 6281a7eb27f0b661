// Package shipping is the service with a table in memory, its workers, and the carrier.
package shipping

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"example.com/orderflow/e2e/interleavings"
	"example.com/orderflow/e2e/interleavings/testdata/standin/inbox"
	"example.com/orderflow/e2e/interleavings/testdata/standin/outbox"
	"example.com/orderflow/e2e/interleavings/testdata/standin/postgres"
	"example.com/orderflow/e2e/interleavings/testdata/standin/unit"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/worker"
)

// World is the shipment of one order.
type World struct {
	interleavings.Outbox
	Row     shipment // without a status: there is none
	Workers []*hand
	Calm    bool    // every worker survives and every call is answered
	Happy   bool    // the carrier delivers everything
	Parcel  *parcel // in the carrier's books
	Refused bool    // the carrier has refused the parcel
	Late    bool    // a request to ship is on its way to the carrier, but its caller has given up
}

// hand is a worker with a lease. It is never frozen: it has ended when its lease ends. property_test.go of shipping tests
// frozen workers.
type hand struct {
	Claim    claim
	Asked    bool
	Answer   parcel
	Refused  reason // from the answer
	Kept     bool   // from the answer
	Failed   bool
	NoEffect bool
}

// New returns the shipment of an order before the first message about it.
func New(calm, happy bool) *World { return &World{Calm: calm, Happy: happy} }

// dock is the part of the real one that the handlers and workers need.
type dock struct {
	outbox     *outbox.Outbox
	office     *unit.Office[*work]
	worker     *worker.Worker[claim] // it does not run: claiming a row is an action of its own
	log        *slog.Logger
	carrier    carrier
	inDoubtFor time.Duration
	pace       pace
	now        func() time.Time
}

func (d *dock) ignored(context.Context, messages.Message, status) {}

func (w *World) dock(f fate) *dock {
	d := &dock{
		worker: &worker.Worker[claim]{}, log: slog.New(slog.DiscardHandler), carrier: &fickle{w, f}, inDoubtFor: f.inDoubtFor(),
		pace: pace{time.Second, time.Second}, now: func() time.Time { return interleavings.Now },
	}
	d.office = &unit.Office[*work]{World: w, Open: d.work}
	return d
}

func (w *World) Handles() []string { return inbox.Kinds((&dock{}).handlers()) }

func (w *World) Receive(m messages.Message) error {
	d := w.dock(fate{})
	return inbox.Handle(d.handlers(), d.office, m)
}

// Actions are those of the workers and of the outside world.
func (w *World) Actions() (actions []interleavings.Action) {
	can := func(do func() (string, error)) { actions = append(actions, interleavings.Action{Do: do}) }
	if w.due() {
		can(w.claim)
	}
	for i, h := range w.Workers {
		if h.Asked {
			can(func() (string, error) { return "a worker records it", w.record(i) })
		} else {
			for _, f := range fates() {
				if (!f.clear || w.clear()) && (!w.Calm || f.calm()) && !(w.Happy && f.refuse) {
					can(func() (string, error) { return w.ask(i, f), nil })
				}
			}
		}
		if !w.Calm {
			can(func() (string, error) { w.drop(i); return "a worker dies", nil })
		}
	}
	if w.Late {
		for _, refuse := range []bool{false, true} {
			can(func() (string, error) {
				w.Late = false
				w.take(refuse)
				return fmt.Sprintf("a late request reaches the carrier, refused: %t", w.Refused), nil
			})
		}
		can(func() (string, error) { w.Late = false; return "a late request is lost for good", nil })
	}
	if w.Parcel != nil {
		for _, next := range onward[w.Parcel.Status] {
			if w.Happy && next.final() && next != delivered {
				continue
			}
			can(func() (string, error) { w.reach(next); return "the parcel is " + string(next), nil })
		}
	}
	return actions
}

// due replaces the claim's condition due_at <= now: enough time has passed whenever no worker has a lease.
func (w *World) due() bool {
	return w.Row.DueAt != nil && !slices.ContainsFunc(w.Workers, func(h *hand) bool { return h.Claim.DueAt.Equal(*w.Row.DueAt) })
}

// claim replaces claimShipments and claimFollowed, and the lease of a shipment that is inserted leased.
func (w *World) claim() (string, error) {
	c := w.Row.leased(interleavings.Now)
	w.Row = c.shipment
	w.Workers = append(w.Workers, &hand{Claim: c})
	return "a worker claims it", nil
}

func (w *World) ask(i int, f fate) string {
	h := w.Workers[i]
	p, err := w.dock(f).see(context.Background(), h.Claim)
	h.Asked, h.Answer, h.Refused, h.Kept, h.Failed, h.NoEffect = true, p, p.Refused, p.Kept, err != nil, errors.Is(err, errNoEffect)
	if err != nil {
		return "a worker asks the carrier: " + err.Error()
	}
	return fmt.Sprintf("a worker asks the carrier: parcel %q, refused %q, kept %t", p.Status, p.Refused, p.Kept)
}

// see calls the carrier as the worker or the tracker does.
func (d *dock) see(ctx context.Context, c claim) (parcel, error) {
	if !c.followed() {
		return d.ask(ctx, c)
	}
	found, err := d.carrier.track(ctx, c.TrackingNumber)
	if err != nil {
		return parcel{}, err
	}
	return found.of(c.TrackingNumber)
}

func (w *World) record(i int) error {
	h := w.Workers[i]
	var failure error
	if h.Failed {
		failure = errNoAnswer
		if h.NoEffect {
			failure = errNoEffect
		}
	}
	h.Answer.Refused, h.Answer.Kept = h.Refused, h.Kept
	w.drop(i)
	return w.dock(fate{}).record(context.Background(), h.Claim, h.Answer, failure)
}

func (w *World) drop(i int) { w.Workers = slices.Delete(w.Workers, i, i+1) }

// clear reports whether enough time may have passed since the last request to ship: the request has arrived or never will, and
// the worker that sent it has ended.
func (w *World) clear() bool {
	return !w.Late && !slices.ContainsFunc(w.Workers, func(h *hand) bool { return h.Claim.ships() })
}

func (w *World) Tell(_ string, f *interleavings.Facts) {
	if w.Parcel != nil {
		f.Parcel = string(w.Parcel.Status)
	}
	f.Busy = w.Row.DueAt != nil
	if w.Row.LastError == astray {
		f.Wrong = astray
	}
}

func (w *World) Void(messages.Message) bool { return false }

func (w *World) Tidy() {
	var asked, due interleavings.Ranks
	rows := []*shipment{&w.Row}
	for _, h := range w.Workers {
		rows = append(rows, &h.Claim.shipment)
	}
	for _, s := range rows {
		s.AskedAt, s.DueAt = asked.Of(s.AskedAt), due.Of(s.DueAt)
		s.Attempts, s.CreatedAt, s.UpdatedAt = 0, time.Time{}, time.Time{}
		if s.LastError != astray {
			s.LastError = ""
		}
	}
	for _, h := range w.Workers {
		h.Claim.Before = asked.Of(h.Claim.Before)
		c := &h.Claim.shipment // fields that the worker does not read
		c.Stages, c.Lines, c.Address, c.Reason = nil, nil, messages.Address{}, ""
	}
}

// The rest replaces store.go.

func loadShipments(tx *postgres.Tx, shipments *unit.Rows[string, shipment]) {
	if w := tx.World.(*World); w.Row.Status != "" {
		shipments.Loaded(w.Row.OrderID, w.Row)
	}
}

func saveShipments(tx *postgres.Tx, shipments *unit.Rows[string, shipment]) {
	for _, s := range slices.Concat(shipments.Changes()) {
		if err := tx.World.(*World).keep(s); err != nil {
			tx.Fail(err)
		}
	}
}

// keep refuses rows that the table's CHECKs refuse.
func (w *World) keep(s shipment) error {
	switch {
	case (s.DueAt == nil) != (s.Status.final() && !s.CancelWanted),
		s.TrackingNumber == "" && s.Status != requested && s.Status != failed && s.Status != cancelled,
		s.CancelWanted && s.AskedAt == nil && s.TrackingNumber == "":
		return fmt.Errorf("the table refuses %+v", s)
	}
	w.Row = s
	return nil
}
