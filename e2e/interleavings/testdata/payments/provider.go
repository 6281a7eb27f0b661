package payments

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var verdicts = []string{operationSucceeded, operationDeclined}

// fate decides the results of the calls of one lease.
type fate struct {
	find    bool   // the look-up is answered
	call    string // the result of the call
	verdict string
	clear   bool // PROVIDER_IN_DOUBT_FOR has passed
}

// fates are all combinations. Many have the same outcome.
func fates() (all []fate) {
	for _, find := range []bool{true, false} {
		for _, clear := range []bool{false, true} {
			for _, call := range []string{"answered", "not sent", "unanswered", "late"} {
				for _, verdict := range verdicts {
					all = append(all, fate{find, call, verdict, clear})
				}
			}
		}
	}
	return all
}

func (f fate) calm() bool { return f.find && f.call == "answered" }

func (f fate) inDoubtFor() time.Duration {
	if f.clear {
		return 0
	}
	return 1000 * time.Hour
}

// fickle is the provider for the calls of one lease. It executes a key only once.
type fickle struct {
	*World
	fate fate
}

var errNoAnswer = errors.New("no answer")

func (w *World) charge(key, verdict string) operation {
	if _, done := w.Charges[key]; !done {
		op := operation{Key: key, Status: verdict}
		if verdict == operationSucceeded {
			op.Amount = price
		}
		w.Charges[key] = op
	}
	return w.Charges[key]
}

func (f *fickle) charge(_ context.Context, p payment) (operation, error) {
	switch f.fate.call {
	case "not sent":
		return operation{}, fmt.Errorf("not sent: %w", errNoEffect)
	case "late":
		f.Late = p.chargeKey()
		return operation{}, errors.New("it is late and not waited for")
	case "unanswered":
		op := f.World.charge(p.chargeKey(), f.fate.verdict)
		return operation{}, fmt.Errorf("%s, and the answer is lost", op.Status)
	}
	return f.World.charge(p.chargeKey(), f.fate.verdict), nil
}

func (f *fickle) findCharge(_ context.Context, p payment) (operation, error) {
	if !f.fate.find {
		return operation{}, fmt.Errorf("unreachable: %w", errNoEffect)
	}
	return f.Charges[p.chargeKey()], nil
}

func (f *fickle) refund(_ context.Context, p payment, amount int64) (operation, error) {
	if f.fate.call == "not sent" {
		return operation{}, fmt.Errorf("not sent: %w", errNoEffect)
	}
	op, err := f.giveBack(p.chargeKey(), p.refundKey(amount), amount)
	if err == nil && f.fate.call == "unanswered" {
		return operation{}, errors.New("refunded, and the answer is lost")
	}
	return op, err
}

func (w *World) giveBack(charge, key string, amount int64) (operation, error) {
	if op, done := w.Refunds[key]; done {
		return op, nil
	}
	c := w.Charges[charge]
	if amount > c.left() {
		return operation{}, errors.New("so much is not left")
	}
	c.Refunded += amount
	w.Charges[charge], w.Refunds[key] = c, operation{Key: key, Status: operationSucceeded, Amount: amount}
	return w.Refunds[key], nil
}
