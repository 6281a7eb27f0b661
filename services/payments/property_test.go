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

// world is one order, with workers that crash and freeze, a provider that loses requests and answers or delivers them late, and
// a clock. A variable stands for the database; other tests check the SQL.
type world struct {
	*till
	*ledger
	t       *rapid.T
	clock   time.Time
	payment payment
	said    []messages.Message

	card         string
	took, gaveUp bool
	byHand       int64 // refunded by a person at the provider
	hands        []*hand
	late         []straggler // charges that are still on their way
}

// hand is a worker with a claim.
type hand struct {
	claim
	since     time.Time
	asked     bool
	operation operation
	failure   error
}

type straggler struct {
	payment
	until time.Time // after this time it does not arrive any more
}

func TestWhateverHappensAnOrderCostsWhatItShould(t *testing.T) {
	t.Parallel()
	testkit.Occur(t, func(saw func(string)) {
		rapid.Check(t, func(t *rapid.T) {
			w := &world{ledger: newLedger(), t: t, clock: noon, payment: payment{OrderID: "o"}}
			w.card = rapid.SampledFrom([]string{"tok_visa", "tok_visa", "tok_declined"}).Draw(t, "card")
			w.till = newTill(nil, nil, w.ledger, testSettings)
			w.now = func() time.Time { return w.clock }
			for range rapid.IntRange(1, 40).Draw(t, "steps") {
				w.anything()
			}
			w.end()
			w.judge()
			saw(cmp.Or(string(w.payment.Status), "never asked for"))
		})
	}, "taken", "declined", "refunded", "withdrawn", "never asked for")
}

// anything lets one random thing happen that can happen now.
func (w *world) anything() {
	type event struct {
		what string
		do   func()
	}
	can := []event{{"take", w.takes}, {"refund", w.givesUp}}
	if w.charges["o"].left() > 0 {
		can = append(can, event{"a person gives some back at the provider", w.givesBack})
	}
	if w.payment.LastError != "" {
		can = append(can, event{"an operator settles it", w.settles})
	}
	if due := w.payment.DueAt; due != nil && !due.After(w.clock) {
		can = append(can, event{"claim", w.claims})
	} else {
		can = append(can, event{"a moment passes", func() { w.pass(time.Second) }}, event{"a lease passes", func() { w.pass(lease) }})
	}
	for i, h := range w.hands {
		if h.asked {
			can = append(can, event{fmt.Sprintf("worker %d records", i), func() { w.records(h) }})
		} else {
			can = append(can, event{fmt.Sprintf("worker %d asks", i), func() { w.asks(h) }})
		}
		can = append(can, event{fmt.Sprintf("worker %d dies", i), func() { w.drop(h) }})
	}
	e := can[rapid.IntRange(0, len(can)-1).Draw(w.t, "event")]
	w.t.Log(w.clock.Format(time.TimeOnly), w.payment.Status, "·", e.what)
	e.do()
}

func (w *world) put(out outcome) {
	w.payment = out.payment
	w.said = append(w.said, out.send...)
}

func (w *world) takes() {
	t, ok := w.payment.take(take("o", w.card), w.clock)
	if !ok {
		w.t.Fatal("contradicts")
	}
	w.put(t)
	w.took = true
}

func (w *world) givesUp() {
	w.put(w.payment.refund(w.clock))
	w.gaveUp = true
}

func (w *world) givesBack() {
	part := rapid.Int64Range(1, w.charges["o"].left()).Draw(w.t, "by hand")
	if rapid.Bool().Draw(w.t, "all of it") {
		part = w.charges["o"].left()
	}
	if _, err := w.giveBack("o", fmt.Sprintf("by hand %d", w.byHand), part); err != nil {
		w.t.Fatal(err)
	}
	w.byHand += part
}

func (w *world) settles() {
	t, ok := w.payment.settle(settlement{"olga", "repaid", &w.clock}, w.clock)
	if gives := w.payment.Status == refunding || w.payment.Status == withdrawing; ok != gives {
		w.t.Fatalf("%s: settled %t", w.payment.Status, ok)
	}
	w.put(t)
}

// claims does what claimPayments does.
func (w *world) claims() {
	p := &w.payment
	if p.DueAt == nil || p.DueAt.After(w.clock) {
		return
	}
	now, until, before := w.clock, w.clock.Add(lease), p.AskedAt
	p.DueAt = &until
	p.Attempts++
	if p.Status != withdrawing {
		p.AskedAt = &now
	}
	w.hands = append(w.hands, &hand{claim: claim{*p, before}, since: now})
}

// asks makes the calls of a claim. A worker that was frozen for too long still sends its request, but then always records the
// answer: if it died instead, the charge could never be discovered.
func (w *world) asks(h *hand) {
	frozen := w.clock.Sub(h.since) >= workWithin
	w.provider = fickle{w, h, frozen}
	h.operation, h.failure = w.ask(context.Background(), h.claim)
	h.asked = true
	w.provider = w.ledger
	if frozen {
		w.records(h)
	}
}

// records does what record does.
func (w *world) records(h *hand) {
	if h.failure == nil {
		w.put(w.payment.apply(h.claim, h.operation, w.clock))
	} else {
		w.put(w.payment.unanswered(h.claim, errors.Is(h.failure, errNoEffect), h.failure.Error(), w.clock, w.clock.Add(againFirst)))
	}
	w.drop(h)
}

func (w *world) drop(h *hand) {
	w.hands = slices.DeleteFunc(w.hands, func(other *hand) bool { return other == h })
}

// pass advances the clock. Requests on their way arrive in time or never.
func (w *world) pass(d time.Duration) {
	w.late = slices.DeleteFunc(w.late, func(s straggler) bool {
		arrives := rapid.Bool().Draw(w.t, "the late charge arrives")
		if arrives {
			_, _ = w.charge(context.Background(), s.payment)
		}
		return arrives || !w.clock.Add(d).Before(s.until)
	})
	w.clock = w.clock.Add(d)
}

// end lets everything happen that is still to happen, without further faults.
func (w *world) end() {
	for range 10 {
		for _, h := range slices.Clone(w.hands) {
			if !h.asked {
				h.operation, h.failure = w.ask(context.Background(), h.claim)
			}
			w.records(h)
		}
		w.pass(inDoubtFor + time.Second)
		w.claims()
	}
}

func (w *world) judge() {
	if !w.took && !w.gaveUp {
		return
	}
	want, answer := int64(0), "refunded 0"
	switch {
	case w.payment.SettledAt != nil: // any rest at the provider is between the operator and the customer
		want, answer = w.balance("o"), said(w.payment.answer())
		if w.payment.Status == declined { // found out after the settlement; the answer to the refund is unchanged
			answer = said(w.payment.free())
		}
	case !w.gaveUp && w.card == "tok_declined":
		answer = "declined card_declined"
	case !w.gaveUp && (w.payment.Status == taken || w.byHand < amount.Amount):
		want, answer = amount.Amount-w.byHand, "taken 2598"
	case w.charges["o"].Amount > 0:
		answer = "refunded 2598"
	}
	said := said(w.said)
	if n := len(w.refunds["o"]); w.byHand == 0 && n > 1 {
		w.t.Fatalf("%d refunds", n)
	}
	if cost := w.balance("o"); cost != want || !w.payment.Status.settled() {
		w.t.Fatalf("%s, costs %d, want %d; said %s", w.payment.Status, cost, want, said)
	}
	if w.gaveUp && strings.HasSuffix(said, "declined card_declined") { // TakePayment was repeated, and so was its answer
		answer = "declined card_declined"
	}
	refunds := w.gaveUp || w.byHand > 0 && w.payment.Status == refunded
	if !strings.HasSuffix(said, answer) || refunds != strings.Contains(said, "refunded") || strings.Contains(said, "declined") && w.card != "tok_declined" {
		w.t.Fatalf("said %s, want %s in the end", said, answer)
	}
}

// fickle is the unreliable connection of one worker to the provider.
type fickle struct {
	*world
	hand   *hand
	frozen bool
}

var errNoAnswer = errors.New("no answer")

func (f fickle) charge(ctx context.Context, p payment) (operation, error) {
	switch rapid.IntRange(0, 4).Draw(f.t, "charge") {
	case 0:
		return operation{}, fmt.Errorf("refused: %w", errNoEffect)
	case 1:
		_, _ = f.ledger.charge(ctx, p)
		return operation{}, errNoAnswer
	case 2:
		if !f.frozen {
			f.late = append(f.late, straggler{p, f.hand.since.Add(inDoubtFor)})
		}
		return operation{}, errNoAnswer
	default:
		return f.ledger.charge(ctx, p)
	}
}

func (f fickle) refund(ctx context.Context, p payment, amount int64) (operation, error) {
	switch rapid.IntRange(0, 4).Draw(f.t, "refund") {
	case 0:
		return operation{}, fmt.Errorf("refused: %w", errNoEffect)
	case 1:
		_, _ = f.ledger.refund(ctx, p, amount)
		return operation{}, errNoAnswer
	case 2:
		f.givesBack() // a person is faster than this call
		return f.ledger.refund(ctx, p, amount)
	default:
		return f.ledger.refund(ctx, p, amount)
	}
}

func (f fickle) findCharge(ctx context.Context, p payment) (operation, error) {
	if rapid.IntRange(0, 3).Draw(f.t, "find charge") == 0 {
		return operation{}, fmt.Errorf("refused: %w", errNoEffect)
	}
	return f.ledger.findCharge(ctx, p)
}
