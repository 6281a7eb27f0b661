package chaos

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is a realistic mistake in one line. It shows that the audit finds it: books that agree prove little otherwise.
type mutant struct {
	name     string
	what     string
	file     string // path in the repository
	old, new string
	more     string // text that is appended to the file
	breach   string // the rule that it breaks, in the auditor's words
}

// earlyAnswer makes a decision as usual, but answers before it is committed, even if the commit fails.
const earlyAnswer = `
func (s *shop) early(ctx context.Context, d unit.Decision[*work]) error {
	made := make(chan error, 100)
	first := d.Make
	d.Make = func(w *work) error {
		err := first(w)
		select {
		case made <- err:
		default:
		}
		return err
	}
	go func() { made <- s.office.Do(context.WithoutCancel(ctx), d) }()
	return <-made
}
`

var mutants = []mutant{
	{
		name:   "charge-key",
		what:   "payments: each attempt to charge has an idempotency key of its own",
		file:   "services/payments/payment.go",
		old:    "func (p payment) chargeKey() string { return p.OrderID }",
		new:    "func (p payment) chargeKey() string { return p.OrderID + p.AskedAt.String() }",
		breach: "no order is charged twice",
	},
	{
		name:   "charge-amount",
		what:   "payments: a repeated charge is a cent higher",
		file:   "services/payments/worker.go",
		old:    "	if c.Before != nil {\n		op, err := t.provider.findCharge(",
		new:    "	if c.Before != nil {\n		c.payment.Amount.Amount++\n		op, err := t.provider.findCharge(",
		breach: "payments and the provider agree to the cent",
	},
	{
		name:   "refund",
		what:   "payments: a payment counts as refunded although the provider was not asked",
		file:   "services/payments/worker.go",
		old:    "op, err = t.provider.refund(ctx, c.payment, charge.left())",
		new:    `op = operation{ID: "refunded", Status: operationSucceeded}`,
		breach: "a cancelled order costs nothing",
	},
	{
		name:   "accepted",
		what:   "orders: an order is accepted before its transaction has committed",
		file:   "services/orders/place.go",
		old:    "	err = s.office.Do(ctx, unit.Decision[*work]{\n",
		new:    "	err = s.early(ctx, unit.Decision[*work]{\n",
		more:   earlyAnswer,
		breach: "an order that was accepted exists",
	},
	{
		name:   "parcel-key",
		what:   "shipping: each attempt to ship has an idempotency key of its own",
		file:   "services/shipping/carrier.go",
		old:    `http.Header{"Idempotency-Key": {s.OrderID}}`,
		new:    `http.Header{"Idempotency-Key": {s.OrderID + s.AskedAt.String()}}`,
		breach: "shipping and the carrier agree",
	},
	{
		name:   "parcel-cancelled",
		what:   "shipping: a parcel counts as cancelled although the carrier was not asked",
		file:   "services/shipping/worker.go",
		old:    "	case c.TrackingNumber != \"\" && c.CancelWanted:\n		return d.carrier.cancel(ctx, c.TrackingNumber)",
		new:    "	case c.TrackingNumber != \"\" && c.CancelWanted:\n		return parcel{TrackingNumber: c.TrackingNumber, Stages: []stage{{cancelled, d.now()}}}, nil",
		breach: "a cancelled order has no parcel on its way",
	},
	{
		name:   "tombstone",
		what:   "inventory: a release that arrives before the reservation is forgotten",
		file:   "services/inventory/consume.go",
		old:    "		r = reservation{OrderID: m.OrderID, Status: released, Missing: []messages.Line{}}\n",
		new:    "		w.send(ctx, messages.StockReleased{OrderID: m.OrderID})\n		return nil\n",
		breach: "a cancelled order holds no stock",
	},
	{
		name:   "outbox",
		what:   "outbox: a message that the broker has not confirmed is deleted",
		file:   "pkg/outbox/relay.go",
		old:    "			away, left = err, append(left, batch[i].ID) // as if",
		new:    "			away, sent = err, append(sent, batch[i].ID) // as if",
		breach: "an order is at its end, or a person has been told",
	},
	{
		name:   "inbox",
		what:   "inbox: a message is acknowledged although the database was away",
		file:   "pkg/inbox/inbox.go",
		old:    "			err = bus.Hold(err) // the whole",
		new:    "			err = nil // the whole",
		breach: "a delivered order has taken its units from the stock, once",
	},
	{
		name:   "rolled-back",
		what:   "outbox: messages of a transaction that was not committed are published",
		file:   "pkg/outbox/outbox.go",
		old:    "		tx.OnRollback(func() { o.release(len(batch)) })",
		new:    "		tx.OnRollback(func() { o.add(batch) })",
		breach: "money, stock and parcels belong to an order",
	},
	{
		name:   "outbox-lease",
		what:   "outbox: a message belongs for ever to the replica that has committed it",
		file:   "pkg/outbox/outbox.go",
		old:    "		mine = lease\n",
		new:    "		mine = 1000 * time.Hour\n",
		breach: "every outbox is empty but for deadlines and what is being published",
	},
	{
		name:   "batch",
		what:   "unit: a decision does not see the row that one before it has added",
		file:   "pkg/unit/rows.go",
		old:    "	row, known = r.now[key]\n	return row, known",
		new:    "	row, known = r.now[key]\n	return row, known && r.stored[key]",
		breach: "what is reserved is what orders hold",
	},
	{
		name:   "answer",
		what:   "payments: answers that arrive together are all recorded for the first payment",
		file:   "services/payments/worker.go",
		old:    "			p := w.of(c.OrderID)\n",
		new:    "			p := w.of(w.payments.Named()[0])\n",
		breach: "payments and the provider agree to the cent",
	},
}

// mutate returns the overlay with which the programs are built as a mutant; nil if name is empty.
func mutate(name, repo, dir string) (overlay, error) {
	if name == "" {
		return nil, nil
	}
	i := slices.IndexFunc(mutants, func(m mutant) bool { return m.name == name })
	if i < 0 {
		return nil, fmt.Errorf("no mutant is called %q", name)
	}
	m := mutants[i]
	original := filepath.Join(repo, filepath.FromSlash(m.file))
	source, err := os.ReadFile(original)
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(source, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("%s has %d times what is to be changed: %s", m.file, n, m.old)
	}
	changed := filepath.Join(dir, strings.ReplaceAll(m.file, "/", "-"))
	return overlay{original: changed}, os.WriteFile(changed, append(bytes.Replace(source, []byte(m.old), []byte(m.new), 1), m.more...), 0o600)
}
