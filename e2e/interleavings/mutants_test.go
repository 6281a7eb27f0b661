package interleavings_test

// mutant is a realistic mistake in one line, which the checker must find.
//
// It cannot find all mistakes, because the system recovers from some: without the transition for shipment_dispatched in
// withdrawing, the cancellation is requested again and refused; if payments does not repeat payment_taken, the order expires
// and is refunded.
type mutant struct {
	what     string
	file     string
	old, new string
	flags    string // the smallest world that shows it
	breach   string // the invariant that it breaks
}

const (
	providerFails = "-provider-fails"
	carrierFails  = "-carrier-fails"
	happy         = "-happy" // enough to find a stranded order
)

var mutants = []mutant{
	{
		what:   "orders: a timeout does not ask again",
		file:   "orders/order.go",
		old:    "	out.send = append(out.send, s.command(o))\n	out.await(passed, now, t)",
		new:    "	out.await(passed, now, t)",
		flags:  happy,
		breach: "stranded",
	},
	{
		what:   "orders: an order that is at its end goes on waiting",
		file:   "orders/order.go",
		old:    "	o.AttentionSince, o.DueAt, o.Passed = nil, nil, 0",
		new:    "	o.AttentionSince, o.Passed = nil, 0",
		breach: "an order waits for a deadline until its end",
	},
	{
		what:   "orders: a paid order is compensated without calling the parcel back",
		file:   "orders/saga.go",
		old:    "timeout: timeouts.dispatch, compensation: withdrawing,",
		new:    "timeout: timeouts.dispatch, compensation: refunding,",
		breach: "what is on its way is paid for",
	},
	{
		what:   "orders: two commands of the compensation are swapped",
		file:   "orders/saga.go",
		old:    "command: refundPayment,",
		new:    "command: releaseStock,",
		flags:  happy,
		breach: "stranded",
	},
	{
		what:   "orders: what cannot be delivered is not refunded",
		file:   "orders/saga.go",
		old:    "{on: kind[messages.ShipmentFailed](), to: refunding, why: undeliverable, what: \"could not be delivered",
		new:    "{on: kind[messages.ShipmentFailed](), to: releasing, why: undeliverable, what: \"could not be delivered",
		breach: "the timeline is a path",
	},
	{
		what:   "orders: a refused cancellation is taken for one that was granted",
		file:   "orders/saga.go",
		old:    "{on: kind[messages.CancellationRefused](), to: shipped,",
		new:    "{on: kind[messages.CancellationRefused](), to: refunding,",
		breach: "what is on its way is paid for",
	},
	{
		what:   "orders: a refused cancellation brings no transition",
		file:   "orders/saga.go",
		old:    "			{on: kind[messages.CancellationRefused](), to: shipped, what: \"too late to cancel: already dispatched\"},\n",
		new:    "",
		flags:  happy,
		breach: "stranded",
	},
	{
		what:   "orders: a handler is not wired",
		file:   "orders/consume.go",
		old:    "		inbox.On(onEvent[messages.StockReleased]),\n",
		new:    "",
		breach: "nobody handles inventory.stock_released",
	},
	{
		what:   "orders: an outcome without an entry in the timeline is not saved",
		file:   "orders/work.go",
		old:    "out.entry == nil && len(out.send) == 0 && reflect.DeepEqual(before, out.order)",
		new:    "out.entry == nil || reflect.DeepEqual(before, out.order)",
		flags:  happy,
		breach: "stranded",
	},
	{
		what:   "inventory: a release before its reservation leaves no tombstone",
		file:   "inventory/consume.go",
		old:    "		r = reservation{OrderID: m.OrderID, Status: released, Missing: []messages.Line{}}\n",
		new:    "		w.send(ctx, messages.StockReleased{OrderID: m.OrderID})\n		return nil\n",
		breach: "cancelled holds no stock",
	},
	{
		what:   "inventory: stock can be released twice",
		file:   "inventory/stock.go",
		old:    "	r.Status = released\n	return r",
		new:    "	return r",
		breach: "the stock is what came",
	},
	{
		what:   "inventory: an order that was given up can reserve again",
		file:   "inventory/consume.go",
		old:    "	if known {\n		w.ignored(ctx, m, r.Status)\n		w.send(ctx, r.answer())",
		new:    "	if known && r.Status == reserved {\n		w.ignored(ctx, m, r.Status)\n		w.send(ctx, r.answer())",
		breach: "the stock is what came",
	},
	{
		what:   "inventory: a delivered order is taken off the books each time that it is told",
		file:   "inventory/stock.go",
		old:    "	if r.Status != reserved {\n		return r, false\n	}",
		new:    "	if r.Status == released {\n		return r, false\n	}",
		breach: "the table refuses",
	},
	{
		what:   "inventory: those who wait are served without leaving the queue's count",
		file:   "inventory/stock.go",
		old:    "			s[l.SKU].Backordered -= l.Quantity\n			s[l.SKU].Available -= l.Quantity",
		new:    "			s[l.SKU].Available -= l.Quantity",
		flags:  "-units 0 -to-come 1 -may-wait",
		breach: "the stock is what came",
	},
	{
		what:   "payments: a refund that came before its payment does not keep it from being taken",
		file:   "payments/payment.go",
		old:    "		p.Amount, p.Method = m.Amount, m.Method\n	}",
		new:    "		p.Amount, p.Method = m.Amount, m.Method\n		return p.enter(requested, now), true\n	}",
		breach: "cancelled costs nothing",
	},
	{
		what:   "payments: the same payment can be asked for twice",
		file:   "payments/payment.go",
		old:    "	case p.Status == \"\":\n		p.Amount,",
		new:    "	case p.Status != taken:\n		p.Amount,",
		breach: "payments and the provider's ledger agree",
	},
	{
		what:   "payments: a charge is not looked for before it is given up",
		file:   "payments/worker.go",
		old:    "	if c.Before != nil {\n		op, err := t.provider.findCharge",
		new:    "	if c.Before != nil && c.Status == requested {\n		op, err := t.provider.findCharge",
		flags:  providerFails,
		breach: "payments and the provider's ledger agree",
	},
	{
		what:   "payments: the provider's word that there is no charge counts at once",
		file:   "payments/worker.go",
		old:    "t.now().Before(clear)",
		new:    "false && t.now().Before(clear)",
		flags:  providerFails,
		breach: "payments and the provider's ledger agree",
	},
	{
		what:   "payments: the idempotency key depends on the status",
		file:   "payments/payment.go",
		old:    "chargeKey() string { return p.OrderID }",
		new:    "chargeKey() string { return p.OrderID + string(p.Status) }",
		flags:  happy,
		breach: "stranded",
	},
	{
		what:   "payments: a payment that is being charged is given up without asking",
		file:   "payments/payment.go",
		old:    "		if p.AskedAt == nil {\n			return p.enter(withdrawn, now)",
		new:    "		if p.AskedAt != nil || p.DueAt != nil {\n			return p.enter(withdrawn, now)",
		breach: "payments and the provider's ledger agree",
	},
	{
		what:   "payments: a charge that turns up late is not given back",
		file:   "payments/payment.go",
		old:    "		p.ChargeID = op.ID\n		return p.enter(refunding, now)",
		new:    "		p.ChargeID = op.ID\n		return p.enter(withdrawn, now)",
		breach: "payments and the provider's ledger agree",
	},
	{
		what:   "payments: asked again for a refund, it does not repeat its answer",
		file:   "payments/payment.go",
		old:    "	default:\n		return outcome{p, p.answer()}\n	}",
		new:    "	default:\n		return outcome{payment: p}\n	}",
		flags:  happy,
		breach: "stranded",
	},
	{
		what:   "payments: what a person has given back at the provider is to be given back again",
		file:   "payments/worker.go",
		old:    "t.provider.refund(ctx, c.payment, charge.left())",
		new:    "t.provider.refund(ctx, c.payment, charge.Amount)",
		flags:  providerFails,
		breach: "stranded",
	},
	{
		what:   "payments: the first claim does not note that the provider may have been asked",
		file:   "payments/worker.go",
		old:    "	if p.Status != withdrawing {\n		c.AskedAt = &now",
		new:    "	if p.Status != withdrawing && p.AskedAt != nil {\n		c.AskedAt = &now",
		flags:  providerFails,
		breach: "payments and the provider's ledger agree",
	},
	{
		what:   "shipping: a shipment that was cancelled before it came is arranged all the same",
		file:   "shipping/shipment.go",
		old:    "	if s.Status != \"\" {\n		return outcome{s, s.announced(0)}",
		new:    "	if s.Status != \"\" && s.Status != cancelled {\n		return outcome{s, s.announced(0)}",
		breach: "what is on its way is paid for",
	},
	{
		what:   "shipping: a parcel that has left counts as called back",
		file:   "shipping/shipment.go",
		old:    "		return outcome{s, s.refuse()}",
		new:    "		return outcome{s, []messages.Message{messages.ShipmentReached(\"cancelled\", messages.ShipmentChange{OrderID: s.OrderID})}}",
		breach: "what is on its way is paid for",
	},
	{
		what:   "shipping: asked again, it does not repeat what has become of the parcel",
		file:   "shipping/shipment.go",
		old:    "		return outcome{s, s.announced(0)}\n	}\n	s.Status,",
		new:    "		return outcome{shipment: s}\n	}\n	s.Status,",
		flags:  happy,
		breach: "stranded",
	},
	{
		what:   "shipping: the carrier's word that there is no parcel counts at once",
		file:   "shipping/worker.go",
		old:    "p.TrackingNumber == \"\" && d.now().Before(clear)",
		new:    "false && d.now().Before(clear)",
		flags:  carrierFails,
		breach: "what is on its way is paid for",
	},
	{
		what:   "shipping: a parcel that was asked for is cancelled without asking the carrier",
		file:   "shipping/shipment.go",
		old:    "	if s.TrackingNumber == \"\" && s.AskedAt == nil { // the carrier knows nothing of it",
		new:    "	if s.TrackingNumber == \"\" { // the carrier knows nothing of it",
		breach: "what is on its way is paid for",
	},
	{
		what:   "inventory: the last unit is never promised",
		file:   "inventory/stock.go",
		old:    "case have.free() < l.Quantity:",
		new:    "case have.free() <= l.Quantity:",
		flags:  "-ends " + everyEnd,
		breach: "no order ends delivered",
	},
}
