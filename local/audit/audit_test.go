package audit

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	late  = began.Add(time.Hour)
)

// way makes an order that went through these statuses.
func way(id, reason string, units int, statuses ...string) Order {
	o := Order{
		ID: id, Customer: "alice", Status: statuses[len(statuses)-1], Reason: reason, Lines: []Line{{"MUG", units}},
		Total: Money{int64(units) * 1000, "EUR"}, Seq: len(statuses), PlacedAt: began,
	}
	for i, s := range statuses {
		o.Timeline = append(o.Timeline, TimelineEntry{id, i + 1, began.Add(time.Duration(i) * time.Second), s, "now " + s, "", ""})
	}
	return o
}

// paid sets the payment that tracking shows for an order.
func (o Order) paid(status string) Order {
	o.PaymentStatus, o.Paid = status, o.Total
	return o
}

// sound returns books without a breach. It has six orders: delivered, cancelled after it was paid, declined, out of stock, and
// two that need attention, one with its refund still to be made and one that waits for stock.
func sound(t *testing.T) Books {
	t.Helper()
	saga, err := readSaga("../../docs/saga.md")
	if err != nil {
		t.Fatal(err)
	}
	delivered := way("delivered", "", 2, "placed", "reserved", "paid", "shipped", "delivered").paid("taken")
	delivered.TrackingNumber = "SP1"
	refunding := way("refunding", "undeliverable", 1, "placed", "reserved", "reserved", "paid", "refunding", "refunding").paid("taken")
	refunding.Timeline[2].What, refunding.Timeline[5].What = "it takes long", "it takes long" // allowed in each status
	waiting := way("waiting", "", 3, "placed", "backordered")
	refunding.AttentionSince, waiting.AttentionSince = &late, &late
	refunding.DueAt, waiting.DueAt = &late, &late

	mug := Product{SKU: "MUG", Name: "Mug", Price: Money{1000, "EUR"}, Version: 2}
	copied := mug
	mug.Available, mug.Reserved, mug.Backordered, mug.OnOrder, mug.Kept = 13, 1, 3, 5, 3
	b := Books{
		Saga: saga,
		Orders: []Order{
			delivered,
			way("cancelled", "customer_request", 2, "placed", "reserved", "paid", "withdrawing", "refunding", "releasing", "cancelled").paid("refunded"),
			way("declined", "payment_declined", 1, "placed", "reserved", "releasing", "cancelled").paid("declined"),
			way("sold out", "out_of_stock", 99, "placed", "cancelled"),
			refunding, waiting,
		},
		Promises:  []Promise{{"alice", "k1", "delivered"}, {"alice", "k2", "cancelled"}},
		Log:       []LogEntry{{"refunding", late, "olga", "note", "the customer calls back"}},
		Catalogue: []Product{copied},
		Products:  []Product{mug},
		Reservations: []Reservation{
			{"delivered", "taken", []Line{{"MUG", 2}}},
			{"cancelled", "released", []Line{{"MUG", 2}}},
			{"declined", "released", []Line{{"MUG", 1}}},
			{"sold out", "rejected", nil},
			{"refunding", "reserved", []Line{{"MUG", 1}}},
			{"waiting", "backordered", []Line{{"MUG", 3}}},
		},
		Movements: []Movement{
			{"seed", "MUG", "", "initial", 10, began},
			{"s1", "MUG", "", "replenished", 5, began},
			{"by hand", "MUG", "olga", "replenished", 1, began},
			{"delivered", "MUG", "", "taken", -2, late},
		},
		Supplies:   []Supply{{"s1", "MUG", 5, "arrived"}, {"s2", "MUG", 5, "ordered"}},
		Deliveries: []Delivery{{"s1", "MUG", 5, "delivered"}, {"s2", "MUG", 5, "ordered"}},
		Payments: []Payment{
			{OrderID: "delivered", Status: "taken", Amount: Money{2000, "EUR"}, ChargeID: "ch1"},
			{OrderID: "cancelled", Status: "refunded", Amount: Money{2000, "EUR"}, ChargeID: "ch2", RefundID: "re2"},
			{OrderID: "declined", Status: "declined", Amount: Money{1000, "EUR"}, Code: "card_declined"},
			{OrderID: "refunding", Status: "refunding", Amount: Money{1000, "EUR"}, ChargeID: "ch3", DueAt: &late},
		},
		Shipments: []Shipment{
			{OrderID: "delivered", Status: "delivered", TrackingNumber: "SP1", Lines: []Line{{"MUG", 2}}},
			{OrderID: "cancelled", Status: "cancelled", TrackingNumber: "SP2", Lines: []Line{{"MUG", 2}}},
			{OrderID: "refunding", Status: "failed", Reason: "address_refused", Lines: []Line{{"MUG", 1}}},
		},
		Parcels: []Parcel{
			{Reference: "delivered", Status: "delivered", TrackingNumber: "SP1", Lines: []Line{{"MUG", 2}}},
			{Reference: "cancelled", Status: "cancelled", TrackingNumber: "SP2", Lines: []Line{{"MUG", 2}}},
		},
		Outboxes: []Message{{Where: "outbox of orders", ID: "m1", Kind: "orders.check_progress", Subject: "delivered", Early: true}},
	}
	b.pay("charge", "ch1", "delivered", 2000)
	b.pay("charge", "ch2", "cancelled", 2000)
	b.pay("refund", "re2", "cancelled", 2000)
	b.pay("decline", "ch4", "declined", 1000)
	b.pay("charge", "ch3", "refunding", 1000)
	for _, service := range services {
		b.Queues = append(b.Queues, Queue{service + ".commands", 0}, Queue{service + ".commands.retry.2s", 0})
	}
	return b
}

// pay writes an entry into the provider's ledger.
func (b *Books) pay(kind, id, order string, amount int64) {
	e := Entry{Seq: len(b.Ledger) + 1, Kind: kind, ID: id, Key: order, Reference: order, Amount: amount, Currency: "EUR", At: began}
	switch kind {
	case "decline":
		e.Code = "card_declined"
	case "refund":
		e.Key = "refund-" + order
	}
	b.Ledger = append(b.Ledger, e)
}

// giveBack is a refund that a person makes directly at the provider.
func (b *Books) giveBack(order string, amount int64) {
	b.pay("refund", "re9", order, amount)
	b.Ledger[len(b.Ledger)-1].Key = "by hand"
}

func TestManualActionsOutsideTheSystemAreListed(t *testing.T) {
	t.Parallel()
	b := sound(t)
	if r := Check(b, Expectations{}); len(r.ByHand) != 0 {
		t.Errorf("%+v", r.ByHand)
	}
	b.giveBack("delivered", 600)
	b.Ledger = slices.Delete(b.Ledger, 2, 3)
	b.Payments[1].RefundID, b.Payments[1].SettledBy, b.Payments[1].SettledWhy = "", "olga", "repaid by bank transfer"
	b.Shipments[0].SettledBy, b.Shipments[0].SettledWhy = "oscar", "the people next door have it"
	var out strings.Builder
	Check(b, Expectations{}).Print(&out)
	for _, want := range []string{
		"delivered  oscar has settled the shipment as delivered: the people next door have it\n",
		"delivered  6.00 EUR were given back at the provider (re9, key by hand) for an order that is delivered\n",
		"cancelled  olga has settled the payment: repaid by bank transfer; 20.00 EUR are with the provider\n",
		"no breach\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing of %q in\n%s", want, out.String())
		}
	}
}

// What operators noted is printed with the report, and in the story of an order with a breach.
func TestWhatOperatorsNotedIsPrinted(t *testing.T) {
	t.Parallel()
	b := sound(t)
	b.Log = append(b.Log, LogEntry{"delivered", late, "oscar", "sent arrange_shipment again", ""})
	b.pay("charge", "ch9", "refunding", 1000)
	var out strings.Builder
	Check(b, Expectations{}).Print(&out)
	for _, want := range []string{
		"refunding  2026-03-01 13:00:00.000  olga, note: the customer calls back\n",
		"delivered  2026-03-01 13:00:00.000  oscar, sent arrange_shipment again\n",
		"  operators  2026-03-01 13:00:00.000  olga, note: the customer calls back\n",
	} {
		if strings.Count(out.String(), want) != 1 {
			t.Errorf("not once %q in\n%s", want, out.String())
		}
	}
}

func TestSoundBooksHaveNoBreach(t *testing.T) {
	t.Parallel()
	r := Check(sound(t), Expectations{Accepted: []string{"delivered", "waiting"}})
	if !r.OK() || r.NeedAttention != 2 {
		t.Errorf("%d orders need attention, breaches: %+v", r.NeedAttention, r.Breaches)
	}
	for _, result := range r.Rules {
		if result.Checked == 0 && !strings.Contains(result.Rule, "dead") {
			t.Errorf("%q was held against nothing", result.Rule)
		}
	}
	if got, want := r.Summary(), "audit: 6 orders, 37 rules, "; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, " checks, no breach") {
		t.Errorf("summary: %s", got)
	}
}

func TestBooksThatOnlySeemToHaveABreach(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b *Books, e *Expectations){
		"given up, and then the card was declined": func(b *Books, _ *Expectations) { b.Payments[2].Status, b.Payments[2].Code = "withdrawn", "" },
		"the carrier gave it up by itself": func(b *Books, _ *Expectations) {
			b.Shipments[1].Status, b.Shipments[1].Reason = "failed", "cancelled_by_carrier"
		},
		"a supplier order that was not placed yet": func(b *Books, _ *Expectations) {
			b.Supplies[1].Status, b.Deliveries = "requested", b.Deliveries[:1]
		},
		"given back by hand, and the rest by payments": func(b *Books, _ *Expectations) {
			b.Ledger[2].Amount, b.Ledger[2].Key = 1400, "refund-cancelled-1400"
			b.giveBack("cancelled", 600)
		},
		"all given back by hand": func(b *Books, _ *Expectations) {
			b.Ledger = slices.Delete(b.Ledger, 2, 3)
			b.giveBack("cancelled", 600)
			b.giveBack("cancelled", 1400)
			b.Payments[1].RefundID = ""
		},
		"an order whose deadline is a message of the release before": func(b *Books, _ *Expectations) {
			b.Orders[waiting].DueAt, b.Outboxes[0].Subject = nil, "waiting"
		},
		"an order that the release before has ended, and left its deadline": func(b *Books, _ *Expectations) { b.Orders[delivered].DueAt = &late },
		"a message that is being published": func(b *Books, _ *Expectations) {
			b.Outboxes = append(b.Outboxes, Message{Where: "outbox of orders", Kind: "orders.order_completed", Subject: "delivered", Early: true, Fresh: true})
		},
		"a rebate for what was delivered":       func(b *Books, _ *Expectations) { b.giveBack("delivered", 600) },
		"all given back for what was delivered": func(b *Books, _ *Expectations) { b.giveBack("delivered", 2000) },
		"an operator has settled the refund": func(b *Books, _ *Expectations) {
			b.Ledger = slices.Delete(b.Ledger, 2, 3)
			b.Payments[1].RefundID, b.Payments[1].SettledBy, b.Payments[1].SettledWhy = "", "olga", "repaid by bank transfer"
		},
		"an operator has settled what the provider could not tell": func(b *Books, _ *Expectations) {
			b.Ledger = slices.Delete(b.Ledger, 2, 3)
			b.Payments[1].Status, b.Payments[1].ChargeID, b.Payments[1].RefundID, b.Payments[1].SettledBy = "withdrawn", "", "", "olga"
			b.Orders[cancelled].PaymentStatus = ""
		},
		"an operator has settled a parcel that the carrier lost": func(b *Books, _ *Expectations) {
			b.Parcels, b.Shipments[0].SettledBy = b.Parcels[1:], "olga"
		},
		"an operator has settled a parcel that the carrier has on its way for ever": func(b *Books, _ *Expectations) {
			b.Parcels[1].Status, b.Shipments[1].Status, b.Shipments[1].SettledBy = "in_transit", "failed", "olga"
		},
		"a dead letter that was expected": func(b *Books, e *Expectations) {
			b.DeadLetters, e.Dead = []Message{{Where: "orders.events.dead", ID: "m7"}}, []string{"m7"}
		},
	} {
		b, e := sound(t), Expectations{}
		change(&b, &e)
		if r := Check(b, e); !r.OK() || r.Err() != nil {
			t.Errorf("%s: %+v", name, r.Breaches)
		}
	}
}

// Each row breaks one thing, and exactly one rule finds it.
func TestEachBreachIsSeenByItsRule(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, row := range slices.Concat(orderBreaches, moneyBreaches, stockBreaches, parcelBreaches, messageBreaches) {
		b, e := sound(t), Expectations{}
		row.spoil(&b, &e)
		r := Check(b, e)
		seen[row.rule] = true
		if len(r.Breaches) != 1 || r.Breaches[0].Rule != row.rule || r.Breaches[0].Subject != row.about {
			t.Errorf("%s: want a breach of %q by %q, got %+v", row.name, row.rule, row.about, r.Breaches)
		}
		if r.OK() || !strings.HasSuffix(r.Summary(), ", 1 breach") {
			t.Errorf("%s: summary %s", row.name, r.Summary())
		}
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), "BREACH     "+r.Breaches[0].What) {
			t.Errorf("%s: error %v", row.name, err)
		}
	}
	for _, rule := range Check(Books{}, Expectations{}).Rules {
		if !seen[rule.Rule] {
			t.Errorf("no row breaks %q", rule.Rule)
		}
		delete(seen, rule.Rule)
	}
	for _, says := range slices.Sorted(maps.Keys(seen)) {
		t.Errorf("no rule says %q", says)
	}
}

func TestABreachIsPrintedWithItsStory(t *testing.T) {
	t.Parallel()
	b := sound(t)
	b.pay("charge", "ch9", "refunding", 1000)
	b.DeadLetters = []Message{{Where: "orders.events.dead", ID: "m7", Kind: "payments.payment_taken", Subject: "refunding", LastError: "exhausted: no luck"}}
	b.DeadLetters = append(b.DeadLetters, Message{Where: "payments.commands.dead", ID: "m8", Kind: "payments.take_payment", Subject: "laboratory"})
	b.Products[0].OnOrder = 6
	var out strings.Builder
	Check(b, Expectations{}).Print(&out)
	for _, want := range []string{
		"the provider has charged it 2 times", "refunding undeliverable placed 2026-03-01 12:00:00.000 by alice for 10.00 EUR: 1 x MUG",
		" 5  2026-03-01 12:00:04.000  refunding    now refunding", "refunding 10.00 EUR ch3 due 2026-03-01 13:00:00.000",
		"#5 2026-03-01 12:00:00.000 charge 10.00 EUR ch3", "#6 2026-03-01 12:00:00.000 charge 10.00 EUR ch9", "reservation reserved 1 x MUG",
		"failed address_refused 1 x MUG", "orders.events.dead  payments.payment_taken (m7): exhausted: no luck",
		"6 are on order, and supplier orders that have not arrived are for 5", "taken: -2 in 1 movement", "order waiting: 3 backordered",
		"2 orders need a person", "audit: 6 orders, 37 rules, ", ", 4 breaches\n", "take_payment (m8) (a poison message of the laboratory: the button there discards it)\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing of %q in\n%s", want, out.String())
		}
	}
}
