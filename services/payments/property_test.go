package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// world is one order, workers that crash and freeze, a provider that loses requests and answers, or delivers them late,
// and a clock. Payments itself is the real one, on a real database.
type world struct {
	*fixture
	*ledger
	t     *rapid.T
	order string
	now   time.Time

	took, gaveUp bool
	hands        []*hand
	late         []straggler // charges that are still on their way
}

// hand is a worker with a claim.
type hand struct {
	claim
	asked   bool
	deed    deed
	failure error
}

type straggler struct {
	payment
	before time.Time // when it has arrived, if it ever does
}

func TestWhateverHappensAnOrderCostsWhatItShould(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	rapid.Check(t, func(t *rapid.T) {
		if _, err := f.db.Exec(context.Background(), `TRUNCATE payments, outbox`); err != nil {
			t.Fatal(err)
		}
		w := &world{fixture: f, ledger: newLedger(), t: t, order: uuid.NewString(), now: noon}
		f.till.provider, f.till.now = w.ledger, func() time.Time { return w.now }
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			w.anything()
		}
		w.end()
		w.judge()
	})
}

func (w *world) anything() {
	switch draw := rapid.IntRange(0, 9).Draw(w.t, "what happens"); draw {
	case 0, 1:
		w.receive(take(w.order, "tok_visa"))
		w.took = true
	case 2:
		w.receive(refund(w.order))
		w.gaveUp = true
	case 3, 4:
		w.claim()
	case 5, 6:
		if h := w.any(func(h *hand) bool { return !h.asked }); h != nil {
			w.ask(h)
		}
	case 7:
		if h := w.any(func(h *hand) bool { return h.asked }); h != nil {
			w.record(h)
		}
	case 8:
		if h := w.any(func(*hand) bool { return true }); h != nil {
			w.drop(h) // it dies
		}
	case 9:
		w.pass(rapid.SampledFrom([]time.Duration{time.Millisecond, 10 * time.Second, lease, certainAfter + time.Second}).Draw(w.t, "time"))
	}
}

// any returns one of the hands.
func (w *world) any(which func(*hand) bool) *hand {
	hands := slices.DeleteFunc(slices.Clone(w.hands), func(h *hand) bool { return !which(h) })
	if len(hands) == 0 {
		return nil
	}
	return hands[rapid.IntRange(0, len(hands)-1).Draw(w.t, "which")]
}

func (w *world) drop(h *hand) {
	w.hands = slices.DeleteFunc(w.hands, func(other *hand) bool { return other == h })
}

func (w *world) claim() {
	claims, err := claimPayments(context.Background(), w.db, 1, w.now, lease)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range claims {
		w.hands = append(w.hands, &hand{claim: c})
	}
}

// ask makes the calls of a claim. A worker that was frozen past its time sends what it was about to send, and records
// what comes of it: if it died instead, nobody could know.
func (w *world) ask(h *hand) {
	frozen := w.now.Sub(w.claimedAt(h)) >= workWithin
	w.till.provider = fickle{w, h, frozen}
	h.deed, h.failure = w.till.ask(context.Background(), h.claim)
	h.asked = true
	w.till.provider = w.ledger
	if frozen {
		w.record(h)
	}
}

func (w *world) claimedAt(h *hand) time.Time { return h.DueAt.Add(-lease) }

func (w *world) record(h *hand) {
	if err := w.till.record(context.Background(), h.claim, h.deed, h.failure); err != nil {
		w.t.Fatal(err)
	}
	w.drop(h)
}

// pass lets time pass. What is on its way arrives in time or not at all.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	w.late = slices.DeleteFunc(w.late, func(s straggler) bool {
		arrives := rapid.Bool().Draw(w.t, "the late charge arrives")
		if arrives {
			_, _ = w.charge(context.Background(), s.payment)
		}
		return arrives || !w.now.Before(s.before)
	})
}

// end lets everything that is still to happen happen, and nothing else go wrong.
func (w *world) end() {
	for range 20 {
		for _, h := range slices.Clone(w.hands) {
			if !h.asked {
				h.deed, h.failure = w.till.ask(context.Background(), h.claim)
			}
			w.record(h)
		}
		w.pass(certainAfter + time.Second)
		w.claim()
	}
}

func (w *world) judge() {
	if !w.took && !w.gaveUp {
		return
	}
	p, said := w.payment(w.order), w.sent(w.order)
	cost, want := w.balance(w.order), int64(0)
	answer := "refunded 0"
	switch {
	case !w.gaveUp:
		want, answer = amount.Amount, "taken 2598"
	case w.charged[w.order] > 0:
		answer = "refunded 2598"
	}
	if cost != want || !p.Status.settled() {
		w.t.Fatalf("%s, costs %d, want %d; said %s", p.Status, cost, want, said)
	}
	if !strings.HasSuffix(said, answer) || strings.Contains(said, "declined") {
		w.t.Fatalf("said %s, want %s in the end", said, answer)
	}
}

// fickle is the way to the provider, for one hand.
type fickle struct {
	*world
	hand   *hand
	frozen bool
}

var errNoAnswer = errors.New("no answer")

func (f fickle) charge(ctx context.Context, p payment) (deed, error) {
	switch rapid.IntRange(0, 4).Draw(f.t, "charge") {
	case 0:
		return deed{}, fmt.Errorf("refused: %w", errIdle)
	case 1:
		_, _ = f.ledger.charge(ctx, p)
		return deed{}, errNoAnswer
	case 2:
		if !f.frozen {
			f.late = append(f.late, straggler{p, f.claimedAt(f.hand).Add(certainAfter)})
		}
		return deed{}, errNoAnswer
	default:
		return f.ledger.charge(ctx, p)
	}
}

func (f fickle) refund(ctx context.Context, p payment) (deed, error) {
	switch rapid.IntRange(0, 3).Draw(f.t, "refund") {
	case 0:
		return deed{}, fmt.Errorf("refused: %w", errIdle)
	case 1:
		_, _ = f.ledger.refund(ctx, p)
		return deed{}, errNoAnswer
	default:
		return f.ledger.refund(ctx, p)
	}
}

func (f fickle) findCharge(ctx context.Context, p payment) (deed, error) {
	if rapid.IntRange(0, 3).Draw(f.t, "find charge") == 0 {
		return deed{}, fmt.Errorf("refused: %w", errIdle)
	}
	return f.ledger.findCharge(ctx, p)
}

func (f fickle) findRefund(ctx context.Context, p payment) (deed, error) {
	if rapid.IntRange(0, 3).Draw(f.t, "find refund") == 0 {
		return deed{}, fmt.Errorf("refused: %w", errIdle)
	}
	return f.ledger.findRefund(ctx, p)
}
