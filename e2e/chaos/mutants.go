package chaos

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is a mistake that somebody could make in a line. That the books agree says little unless they would not with it.
type mutant struct {
	name     string
	what     string
	file     string // of the repository
	old, new string
	breach   string // the rule that it breaks, in the auditor's words
}

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
		what:   "payments: whoever is charged again is charged a cent more",
		file:   "services/payments/work.go",
		old:    "	if c.Before != nil {\n		d, err := t.provider.findCharge(",
		new:    "	if c.Before != nil {\n		c.payment.Amount.Amount++\n		d, err := t.provider.findCharge(",
		breach: "payments and the provider agree to the cent",
	},
	{
		name:   "refund",
		what:   "payments: refunded is what was not even asked for",
		file:   "services/payments/work.go",
		old:    "d, err = t.provider.refund(ctx, c.payment, charge.left())",
		new:    `d = deed{ID: "refunded", Status: deedSucceeded}`,
		breach: "a cancelled order costs nothing",
	},
	{
		name:   "accepted",
		what:   "orders: an order is accepted before its transaction has committed",
		file:   "services/orders/place.go",
		old:    "	err = s.db.Tx(ctx, func(tx pgx.Tx) error {\n		before, err := remember(",
		new:    "	ctx = context.WithoutCancel(ctx)\n	go s.db.Tx(ctx, func(tx pgx.Tx) error {\n		before, err := remember(",
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
		what:   "shipping: cancelled is a parcel that the carrier was not asked to bring back",
		file:   "services/shipping/work.go",
		old:    "	case c.TrackingNumber != \"\" && c.CancelWanted:\n		return d.carrier.cancel(ctx, c.TrackingNumber)",
		new:    "	case c.TrackingNumber != \"\" && c.CancelWanted:\n		return parcel{TrackingNumber: c.TrackingNumber, Stages: []stage{{cancelled, d.now()}}}, nil",
		breach: "a cancelled order has no parcel on its way",
	},
	{
		name:   "tombstone",
		what:   "inventory: that an order was given up before it was heard of is forgotten",
		file:   "services/inventory/consume.go",
		old:    "		insertReservation(&b, r, w.now())\n		return w.keep(ctx, tx, &b, nil, r.answer())",
		new:    "		return w.keep(ctx, tx, &b, nil, r.answer())",
		breach: "a cancelled order holds no stock",
	},
	{
		name:   "outbox",
		what:   "outbox: a message that the broker has not confirmed is deleted",
		file:   "pkg/outbox/relay.go",
		old:    "				away = err // as if",
		new:    "				away, sent = err, append(sent, batch[i].ID) // as if",
		breach: "a delivered order has taken its units from the stock, once",
	},
	{
		name:   "inbox",
		what:   "inbox: a message is acknowledged although the database was away",
		file:   "pkg/inbox/inbox.go",
		old:    "			errs[l.index] = bus.Hold(err) // the whole",
		new:    "			// the whole",
		breach: "a delivered order has taken its units from the stock, once",
	},
}

// mutate returns what to build the programs with so that they are a mutant; without a name, none.
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
	return overlay{original: changed}, os.WriteFile(changed, bytes.Replace(source, []byte(m.old), []byte(m.new), 1), 0o600)
}
