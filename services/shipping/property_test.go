package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/testkit"
)

// world is the shipment of an order, with faults all around it: commands in any order and number, workers that die, are late or
// freeze, a network that loses answers and delays requests, and a carrier that goes on meanwhile.
type world struct {
	*rapid.T
	dock   *dock
	now    time.Time
	frozen bool // whether workers may freeze
	calm   bool // from then on nothing goes wrong

	shipment shipment
	claims   []*held
	fresh    []string // events that workers sent
	asked    bool     // a cancellation has not been answered yet

	parcel   *parcel
	requests []time.Time // requests to ship that are on their way: the latest times of arrival
}

// held is a claim that a worker holds.
type held struct {
	claim
	at     time.Time
	called bool
	parcel parcel
	err    error
}

func TestWhateverGoesWrongTheParcelAndItsShipmentAgree(t *testing.T) {
	t.Parallel()
	testkit.Occur(t, func(saw func(string)) {
		rapid.Check(t, func(t *rapid.T) {
			w := &world{T: t, now: day, frozen: rapid.Bool().Draw(t, "frozen"), shipment: shipment{OrderID: "o"}}
			w.dock = &dock{carrier: w, inDoubtFor: 30 * time.Second, now: func() time.Time { return w.now }}
			for range rapid.IntRange(0, 60).Draw(t, "steps") {
				w.anything()
			}
			w.end()
			w.judge()
			end := cmp.Or(string(w.shipment.Status), "never asked for")
			if w.shipment.TrackingNumber == "" && w.shipment.Status == cancelled {
				end = "cancelled before there was a parcel"
			}
			saw(end)
		})
	}, "delivered", "failed", "cancelled", "cancelled before there was a parcel", "never asked for")
}

// end lets everything happen that is still to happen, without further faults.
func (w *world) end() {
	w.calm = true
	for i := 0; w.shipment.DueAt != nil || len(w.claims)+len(w.requests) > 0; i++ {
		if i == 100 {
			w.Fatalf("stranded: %+v, parcel %+v", w.shipment, w.parcel)
		}
		w.carry()
		w.tick(time.Minute)
		w.claim()
		for len(w.claims) > 0 {
			w.call(0)
			w.record(0)
		}
	}
}

func (w *world) judge() {
	s, p := w.shipment, w.parcel
	if w.asked {
		w.Fatalf("a cancellation has no answer: %+v", s)
	}
	switch {
	case p == nil:
		if s.Status != "" && s.Status != cancelled {
			w.Fatalf("%s without a parcel", s.Status)
		}
	case s.Status == cancelled:
		if p.alive() && !(w.frozen && s.LastError == astray) {
			w.Fatalf("cancelled, and the parcel is %+v", p)
		}
	case s.Status != p.Status || !slices.Equal(s.Stages, p.Stages):
		w.Fatalf("the shipment has %v, the parcel %v", s.Stages, p.Stages)
	}
	for i, kind := range w.fresh {
		if kind != "cancellation_refused" && slices.Contains(w.fresh[:i], kind) {
			w.Fatalf("%s is told twice: %v", kind, w.fresh)
		}
	}
}

func (w *world) anything() {
	w.now = w.now.Add(time.Microsecond) // no two things happen at the same time
	pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(w.T, "which") }
	switch rapid.SampledFrom([]string{"arrange", "cancel", "claim", "claim", "call", "call", "record", "record", "crash", "tick", "carry", "arrive"}).Draw(w.T, "what") {
	case "arrange":
		w.shipment = w.shipment.arrange(messages.ArrangeShipment{OrderID: "o"}, w.now).shipment
	case "cancel":
		w.asked = true
		w.put(w.shipment.cancel(w.now))
	case "claim":
		w.claim()
	case "call":
		if n := len(w.claims); n > 0 {
			w.call(pick(n))
		}
	case "record":
		if n := len(w.claims); n > 0 {
			w.record(pick(n))
		}
	case "crash":
		// A frozen worker that wakes up, makes its call and then dies is left out: no recovery is possible then unless the
		// carrier refuses late requests.
		if n := len(w.claims); n > 0 {
			if i := pick(n); !w.late(w.claims[i]) {
				w.claims = slices.Delete(w.claims, i, i+1)
			}
		}
	case "tick":
		w.tick(rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, lease}).Draw(w.T, "time"))
	case "carry":
		w.carry()
	case "arrive":
		if len(w.requests) > 0 {
			w.arrive()
		}
	}
}

func (w *world) put(out outcome) {
	w.shipment = out.shipment
	for _, m := range out.send {
		switch m.(type) {
		case messages.CancellationRefused, messages.ShipmentCancelled, messages.ShipmentFailed:
			w.asked = false
		}
	}
}

// claim does what the SQL statement of the claim does.
func (w *world) claim() {
	s := &w.shipment
	if s.DueAt == nil || s.DueAt.After(w.now) {
		return
	}
	h := &held{claim: claim{Before: s.AskedAt}, at: w.now}
	s.DueAt = new(w.now.Add(lease))
	if s.followed() { // no lease: it may be due again while the tracker still has it
		s.DueAt = new(w.now.Add(time.Second))
	}
	s.Attempts++
	if s.TrackingNumber == "" && !s.CancelWanted {
		s.AskedAt = new(w.now)
	}
	h.shipment = *s
	w.claims = append(w.claims, h)
}

func (w *world) call(i int) {
	h := w.claims[i]
	switch {
	case h.called:
	case h.followed():
		var found parcels
		if found, h.err = w.track(context.Background(), h.TrackingNumber); h.err == nil {
			h.parcel, h.err = found.of(h.TrackingNumber)
		}
	default:
		h.parcel, h.err = w.dock.ask(context.Background(), h.claim)
	}
	h.called = true
}

func (w *world) record(i int) {
	h := w.claims[i]
	if !h.called {
		return
	}
	w.claims = slices.Delete(w.claims, i, i+1)
	t := w.shipment.recorded(h.claim, h.parcel, h.err, w.now, pace{}) // without a pause, the next call is due at once
	w.put(t)
	w.fresh = append(w.fresh, strings.Fields(kinds(t.send))...)
}

// tick advances the clock. Workers that are not frozen give up claims that are too old.
func (w *world) tick(d time.Duration) {
	w.now = w.now.Add(d)
	for len(w.requests) > 0 && !w.requests[0].After(w.now) {
		w.arrive()
	}
	if !w.frozen {
		w.claims = slices.DeleteFunc(w.claims, w.late)
	}
}

func (w *world) late(h *held) bool { return w.now.After(h.at.Add(workWithin)) }

func (w *world) arrive() {
	w.requests = w.requests[1:]
	w.post()
}

func (w *world) post() {
	if w.parcel == nil {
		w.parcel = &parcel{Reference: "o", TrackingNumber: "S1"}
		w.reached(arranged)
	}
}

func (w *world) reached(s status) {
	w.parcel.Status = s
	w.parcel.Stages = append(slices.Clone(w.parcel.Stages), stage{s, w.now})
}

// carry moves the parcel one stage on.
func (w *world) carry() {
	next := map[status]status{arranged: dispatched, dispatched: inTransit, inTransit: rapid.SampledFrom([]status{delivered, failed}).Draw(w.T, "end")}
	if w.parcel != nil && next[w.parcel.Status] != "" {
		w.reached(next[w.parcel.Status])
	}
}

var errNoAnswer = errors.New("no answer")

// fate decides the result of a call: it is answered, has no effect, is carried out without an answer, or is still on its way.
func (w *world) fate(fates ...string) string {
	if w.calm {
		return "answered"
	}
	return rapid.SampledFrom(append(fates, "answered", "answered", "no_effect")).Draw(w.T, "fate")
}

func (w *world) ship(context.Context, shipment) (parcel, error) {
	switch w.fate("lost", "late") {
	case "no_effect":
		return parcel{}, errNoEffect
	case "lost":
		w.post()
		return parcel{}, errNoAnswer
	case "late":
		w.requests = append(w.requests, w.now.Add(10*time.Second))
		return parcel{}, errNoAnswer
	}
	w.post()
	return *w.parcel, nil
}

func (w *world) find(context.Context, string) (parcel, error) {
	if w.fate() == "no_effect" {
		return parcel{}, fmt.Errorf("%w: unreachable", errNoEffect)
	}
	if w.parcel == nil {
		return parcel{}, nil
	}
	return *w.parcel, nil
}

func (w *world) track(ctx context.Context, _ ...string) (parcels, error) {
	p, err := w.find(ctx, "")
	return parcels{p.TrackingNumber: p}, err
}

func (w *world) cancel(context.Context, string) (parcel, error) {
	fate := w.fate("lost")
	if fate == "no_effect" {
		return parcel{}, errNoEffect
	}
	if w.parcel.Status == arranged {
		w.reached(cancelled)
	}
	if fate == "lost" {
		return parcel{}, errNoAnswer
	}
	p := *w.parcel
	p.Kept = p.Status != cancelled
	return p, nil
}
