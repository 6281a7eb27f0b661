package shipping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/orderflow/e2e/interleavings"
)

// onward are the next statuses that a carrier may give a parcel.
var onward = map[status][]status{
	arranged:   {dispatched, cancelled},
	dispatched: {inTransit, failed},
	inTransit:  {delivered, failed},
}

// fate decides the results of the calls of one lease.
type fate struct {
	look   bool   // the look-up is answered
	call   string // the result of the call
	refuse bool   // the parcel is refused, unless it was accepted before
	clear  bool   // CARRIER_IN_DOUBT_FOR has passed
}

// fates are all combinations. Many have the same outcome.
func fates() (all []fate) {
	for _, look := range []bool{true, false} {
		for _, clear := range []bool{false, true} {
			for _, call := range []string{"answered", "not sent", "unanswered", "late"} {
				for _, refuse := range []bool{false, true} {
					all = append(all, fate{look, call, refuse, clear})
				}
			}
		}
	}
	return all
}

func (f fate) calm() bool { return f.look && f.call == "answered" }

func (f fate) inDoubtFor() time.Duration {
	if f.clear {
		return 0
	}
	return 1000 * time.Hour
}

// take is the carrier's decision to accept or refuse a parcel. It is made once: the order's id is the key.
func (w *World) take(refuse bool) {
	if w.Parcel != nil || w.Refused {
		return
	}
	if w.Refused = refuse; !refuse {
		w.Parcel = &parcel{Reference: w.Row.OrderID, TrackingNumber: "T", Carrier: "C"}
		w.reach(arranged)
	}
}

// reach moves a parcel to a stage. Each stage has a time of its own; a final one has Now.
func (w *World) reach(s status) {
	at := interleavings.Now
	if !s.final() {
		at = time.Unix(int64(progress[s]), 0).UTC()
	}
	w.Parcel.Status = s
	w.Parcel.Stages = append(slices.Clone(w.Parcel.Stages), stage{s, at})
}

// fickle is the carrier for the calls of one lease.
type fickle struct {
	*World
	fate fate
}

var errNoAnswer = errors.New("no answer")

func (f *fickle) ship(context.Context, shipment) (parcel, error) {
	switch f.fate.call {
	case "not sent":
		return parcel{}, fmt.Errorf("not sent: %w", errNoEffect)
	case "late":
		f.Late = true
		return parcel{}, errors.New("it is late and not waited for")
	}
	f.take(f.fate.refuse)
	switch {
	case f.fate.call == "unanswered":
		return parcel{}, errors.New("taken or refused, and the answer is lost")
	case f.Refused:
		return parcel{Refused: addressRefused}, nil
	}
	return *f.Parcel, nil
}

func (f *fickle) find(context.Context, string) (parcel, error) {
	switch {
	case !f.fate.look:
		return parcel{}, fmt.Errorf("unreachable: %w", errNoEffect)
	case f.Parcel == nil:
		return parcel{}, nil
	}
	return *f.Parcel, nil
}

func (f *fickle) track(ctx context.Context, _ ...string) (parcels, error) {
	p, err := f.find(ctx, "")
	return parcels{p.TrackingNumber: p}, err
}

func (f *fickle) cancel(context.Context, string) (parcel, error) {
	if f.fate.call == "not sent" {
		return parcel{}, errors.New("unreachable")
	}
	if f.Parcel.Status == arranged {
		f.reach(cancelled)
	}
	if f.fate.call != "answered" {
		return parcel{}, errors.New("the answer to the cancellation is lost")
	}
	p := *f.Parcel
	p.Kept = p.Status != cancelled
	return p, nil
}
