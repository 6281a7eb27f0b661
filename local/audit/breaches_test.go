package audit

// spoiled is a set of books with one mistake.
type spoiled struct {
	name  string
	rule  string // the rule that finds it
	about string // the subject of the breach
	spoil func(b *Books, e *Expectations)
}

// Indexes of the six orders of the sound books.
const (
	delivered = iota
	cancelled
	declined
	soldOut
	refunding
	waiting
)

const (
	timeline = "a timeline is a way through the saga"
	tracking = "tracking shows what payments and shipping know"
	promise  = "an order that was promised under an Idempotency-Key is its customer's"
	owners   = "money, stock and parcels belong to an order"
	selling  = "the catalogue that orders sells from is inventory's"
)

var orderBreaches = []spoiled{
	{"an accepted order is lost", "an order that was accepted exists", "lost", func(_ *Books, e *Expectations) { e.Accepted = []string{"lost"} }},
	{"a promised order is lost", promise, "lost", func(b *Books, _ *Expectations) { b.Promises[0].OrderID = "lost" }},
	{"a promised order is somebody else's", promise, "delivered", func(b *Books, _ *Expectations) { b.Promises[0].Customer = "bob" }},
	{"an order waits and nobody is told", "an order is at its end, or a person has been told", "waiting", func(b *Books, _ *Expectations) {
		b.Orders[waiting].AttentionSince = nil
	}},
	{"an order that nothing makes ask again", "an order that is not at its end has a deadline", "waiting", func(b *Books, _ *Expectations) {
		b.Orders[waiting].DueAt = nil
	}},
	{"a deadline that nobody has met", "a deadline that has passed is met", "refunding", func(b *Books, _ *Expectations) {
		b.Orders[refunding].Overdue = true
	}},
	{"a way that the saga has not", timeline, "sold out", func(b *Books, _ *Expectations) {
		o := way("sold out", "out_of_stock", 99, "placed", "shipped", "delivered")
		b.Orders[soldOut].Timeline = append(o.Timeline[:2:2], TimelineEntry{"sold out", 3, late, "cancelled", "cancelled", "", ""})
		b.Orders[soldOut].Seq = 3
	}},
	{"a timeline that begins in the middle", timeline, "declined", func(b *Books, _ *Expectations) {
		b.Orders[declined].Timeline, b.Orders[declined].Seq = way("", "", 1, "reserved", "releasing", "cancelled").Timeline, 3
	}},
	{"a timeline with a gap", timeline, "declined", func(b *Books, _ *Expectations) { b.Orders[declined].Timeline[2].Seq = 9 }},
	{"a timeline that was cut off", timeline, "declined", func(b *Books, _ *Expectations) {
		b.Orders[declined].Timeline, b.Orders[declined].Seq = b.Orders[declined].Timeline[:3], 3
	}},
	{"a timeline with fewer entries than the order has", timeline, "declined", func(b *Books, _ *Expectations) { b.Orders[declined].Seq = 5 }},
	{"no timeline", timeline, "declined", func(b *Books, _ *Expectations) { b.Orders[declined].Timeline = nil }},
	{"an event that was applied twice", timeline, "waiting", func(b *Books, _ *Expectations) {
		o := &b.Orders[waiting]
		o.Timeline, o.Seq = append(o.Timeline, TimelineEntry{"waiting", 3, late, "backordered", o.Timeline[1].What, "", ""}), 3
	}},
	{"an entry after the end", timeline, "delivered", func(b *Books, _ *Expectations) {
		o := &b.Orders[delivered]
		o.Timeline, o.Seq = append(o.Timeline, TimelineEntry{"delivered", 6, late, "delivered", "again", "", ""}), 6
	}},
	{"a delivered order with a reason", "a cancelled order has a reason, a delivered one has none", "delivered", func(b *Books, _ *Expectations) {
		b.Orders[delivered].Reason = "expired"
	}},
	{"a cancelled order without one", "a cancelled order has a reason, a delivered one has none", "cancelled", func(b *Books, _ *Expectations) {
		b.Orders[cancelled].Reason = ""
	}},
	{"tracking shows another parcel", tracking, "delivered", func(b *Books, _ *Expectations) { b.Orders[delivered].TrackingNumber = "SP9" }},
	{"tracking shows another price", tracking, "delivered", func(b *Books, _ *Expectations) { b.Orders[delivered].Paid.Amount++ }},
	{"tracking has never heard of the refund", tracking, "cancelled", func(b *Books, _ *Expectations) { b.Orders[cancelled].PaymentStatus = "taken" }},
	{"a payment of no order", owners, "lost", func(b *Books, _ *Expectations) {
		b.Payments = append(b.Payments, Payment{OrderID: "lost", Status: "withdrawn"})
	}},
	{"a reservation of no order", owners, "lost", func(b *Books, _ *Expectations) {
		b.Reservations = append(b.Reservations, Reservation{OrderID: "lost", Status: "released"})
	}},
	{"a shipment of no order", owners, "lost", func(b *Books, _ *Expectations) {
		b.Shipments = append(b.Shipments, Shipment{OrderID: "lost", Status: "cancelled"})
	}},
	{"a note about no order", "the operators' log is about orders that exist", "lost", func(b *Books, _ *Expectations) {
		b.Log = append(b.Log, LogEntry{OrderID: "lost", Operator: "olga", What: "note"})
	}},
	{"orders still sells what is retired", selling, "MUG", func(b *Books, _ *Expectations) { b.Products[0].Retired = true }},
	{"orders does not sell what came back", selling, "MUG", func(b *Books, _ *Expectations) { b.Catalogue[0].Retired = true }},
	{"orders sells at an old price", selling, "MUG", func(b *Books, _ *Expectations) { b.Catalogue[0].Version = 1 }},
	{"orders does not know a product", selling, "MUG", func(b *Books, _ *Expectations) { b.Catalogue = nil }},
}

const agreed = "payments and the provider agree to the cent"

var moneyBreaches = []spoiled{
	{"two charges", "no order is charged twice", "refunding", func(b *Books, _ *Expectations) { b.pay("charge", "ch9", "refunding", 1000) }},
	{"charged another price", "a delivered order is charged its price", "delivered", func(b *Books, _ *Expectations) { b.Orders[delivered].Total.Amount = 1999 }},
	{"cancelled and not given back", "a cancelled order costs nothing", "cancelled", func(b *Books, _ *Expectations) {
		b.Ledger = append(b.Ledger[:2:2], b.Ledger[3:]...)
		b.Payments[1].Status, b.Orders[cancelled].PaymentStatus = "taken", "taken"
	}},
	{"a payment that is still asked for", "the payment of an order at its end is settled", "delivered", func(b *Books, _ *Expectations) {
		b.Payments[0].DueAt = &late
	}},
	{"another charge than payments knows", agreed, "delivered", func(b *Books, _ *Expectations) { b.Payments[0].ChargeID = "ch9" }},
	{"the rest was given back by a refund that payments does not know", agreed, "cancelled", func(b *Books, _ *Expectations) {
		b.Ledger[2].Amount, b.Ledger[2].ID = 1300, "re8"
		b.giveBack("cancelled", 700)
	}},
	{"a decline that the provider never said", agreed, "declined", func(b *Books, _ *Expectations) {
		b.Ledger = append(b.Ledger[:3:3], b.Ledger[4:]...)
	}},
	{"a charge that was never wanted", agreed, "refunding", func(b *Books, _ *Expectations) {
		b.Payments[3].Status, b.Payments[3].DueAt = "withdrawn", nil
	}},
	{"the provider declined what nobody asked for", "payments knows of whatever the provider did", "sold out", func(b *Books, _ *Expectations) {
		b.pay("decline", "ch9", "sold out", 1)
	}},
}

const (
	supplied = "inventory and the supplier agree"
	shelved  = "what has arrived was put on the shelf, once"
	keptFor  = "what is kept for those who wait is there, and waited for"
)

var stockBreaches = []spoiled{
	{"a delivered order's stock was given back", "a delivered order has taken its units from the stock, once", "delivered", func(b *Books, _ *Expectations) {
		b.Reservations[0].Status = "released"
	}},
	{"one unit less was taken than delivered", "a delivered order has taken its units from the stock, once", "delivered", func(b *Books, _ *Expectations) {
		b.Movements[3].Quantity, b.Products[0].Available = -1, 14
	}},
	{"a reservation was forgotten", "a cancelled order holds no stock", "declined", func(b *Books, _ *Expectations) {
		b.Reservations[2].Status, b.Products[0].Available, b.Products[0].Reserved = "reserved", 12, 2
	}},
	{"units left with a cancelled order", "units leave the stock with a delivered order only", "cancelled", func(b *Books, _ *Expectations) {
		b.Movements = append(b.Movements, Movement{"cancelled", "MUG", "", "taken", -2, late})
		b.Products[0].Available -= 2
	}},
	{"a unit out of nowhere", "what came less what was delivered is on the shelf", "MUG", func(b *Books, _ *Expectations) { b.Products[0].Available++ }},
	{"fewer than none", "no number of units is below zero", "CUP", func(b *Books, _ *Expectations) {
		b.Products = append(b.Products, Product{SKU: "CUP", Available: -1, Kept: -1})
		b.Catalogue = append(b.Catalogue, Product{SKU: "CUP"})
		b.Movements = append(b.Movements, Movement{"by hand", "CUP", "olga", "replenished", -1, began})
	}},
	{"fewer than none are kept", "no number of units is below zero", "MUG", func(b *Books, _ *Expectations) { b.Products[0].Kept = -1 }},
	{"more are kept than are waited for", keptFor, "MUG", func(b *Books, _ *Expectations) { b.Products[0].Kept = 4 }},
	{"more are kept than are there", keptFor, "CUP", func(b *Books, _ *Expectations) {
		b.Products = append(b.Products, Product{SKU: "CUP", Reserved: 1, Backordered: 2, Kept: 1})
		b.Catalogue = append(b.Catalogue, Product{SKU: "CUP"})
		b.Movements = append(b.Movements, Movement{"by hand", "CUP", "olga", "replenished", 1, began})
		b.Reservations[4].Lines = append(b.Reservations[4].Lines, Line{"CUP", 1})
		b.Reservations[5].Lines = append(b.Reservations[5].Lines, Line{"CUP", 2})
	}},
	{"held for nobody", "what is reserved is what orders hold", "MUG", func(b *Books, _ *Expectations) {
		b.Products[0].Available--
		b.Products[0].Reserved++
	}},
	{"wanted by nobody", "what is backordered is what orders wait for", "MUG", func(b *Books, _ *Expectations) { b.Products[0].Backordered++ }},
	{"on order from nobody", "what is on order is what the supplier was asked for", "MUG", func(b *Books, _ *Expectations) { b.Products[0].OnOrder-- }},
	{"arrived and put nowhere", shelved, "MUG", func(b *Books, _ *Expectations) {
		b.Movements[1].Reference, b.Movements[1].Operator = "by hand, too", "olga"
	}},
	{"put on the shelf before it arrived", shelved, "MUG", func(b *Books, _ *Expectations) {
		b.Movements = append(b.Movements, Movement{"s2", "MUG", "", "replenished", 5, late})
		b.Products[0].Available += 5
	}},
	{"put on the shelf for nothing", shelved, "MUG", func(b *Books, _ *Expectations) {
		b.Movements = append(b.Movements, Movement{"s9", "MUG", "", "replenished", 5, late})
		b.Products[0].Available += 5
	}},
	{"the supplier has not delivered what has arrived", supplied, "MUG", func(b *Books, _ *Expectations) { b.Deliveries[0].Status = "ordered" }},
	{"the supplier was asked for more", supplied, "MUG", func(b *Books, _ *Expectations) { b.Deliveries[1].Quantity = 6 }},
	{"the supplier was never asked", supplied, "MUG", func(b *Books, _ *Expectations) { b.Deliveries = b.Deliveries[:1] }},
	{"the supplier was asked by somebody else", supplied, "MUG", func(b *Books, _ *Expectations) {
		b.Deliveries = append(b.Deliveries, Delivery{"s9", "MUG", 1, "ordered"})
	}},
}

const sent = "shipping and the carrier agree"

var parcelBreaches = []spoiled{
	{"another parcel than was ordered", "a delivered order was shipped once", "delivered", func(b *Books, _ *Expectations) { b.Parcels[0].Lines[0].Quantity = 3 }},
	{"delivered, and the parcel has failed", "a delivered order was shipped once", "delivered", func(b *Books, _ *Expectations) {
		b.Parcels[0].Status, b.Shipments[0].Status = "failed", "failed"
	}},
	{"delivered without a parcel", "a delivered order was shipped once", "delivered", func(b *Books, _ *Expectations) {
		b.Parcels, b.Shipments, b.Orders[delivered].TrackingNumber = b.Parcels[1:], b.Shipments[1:], ""
	}},
	{"a cancelled order arrives", "a cancelled order has no parcel on its way", "cancelled", func(b *Books, _ *Expectations) {
		b.Parcels[1].Status, b.Shipments[1].Status = "delivered", "delivered"
	}},
	{"a shipment that is still followed", "the shipment of an order at its end is at its end", "delivered", func(b *Books, _ *Expectations) {
		b.Shipments[0].DueAt = &late
	}},
	{"the carrier has another parcel", sent, "delivered", func(b *Books, _ *Expectations) { b.Parcels[0].TrackingNumber = "SP9" }},
	{"the carrier knows of another end", sent, "cancelled", func(b *Books, _ *Expectations) { b.Parcels[1].Status = "failed" }},
	{"a parcel where shipping has none", sent, "refunding", func(b *Books, _ *Expectations) {
		b.Parcels = append(b.Parcels, Parcel{Reference: "refunding", Status: "arranged", TrackingNumber: "SP9"})
	}},
	{"two parcels where shipping has one", sent, "cancelled", func(b *Books, _ *Expectations) {
		b.Parcels = append(b.Parcels, Parcel{Reference: "cancelled", Status: "cancelled", TrackingNumber: "SP9"})
	}},
	{"a parcel that shipping never heard of", "shipping knows of whatever the carrier has", "sold out", func(b *Books, _ *Expectations) {
		b.Parcels = append(b.Parcels, Parcel{Reference: "sold out", Status: "cancelled"})
	}},
}

const (
	outboxes = "every outbox is empty but for deadlines and what is being published"
	dead     = "no message is dead but those expected"
)

var messageBreaches = []spoiled{
	{"a message that has not left", outboxes, "waiting", func(b *Books, _ *Expectations) {
		b.Outboxes = append(b.Outboxes, Message{Where: "outbox of payments", Kind: "payments.payment_taken", Subject: "waiting"})
	}},
	{"a message that somebody has and does not publish", outboxes, "waiting", func(b *Books, _ *Expectations) {
		b.Outboxes = append(b.Outboxes, Message{Where: "outbox of payments", Kind: "payments.payment_taken", Subject: "waiting", Early: true})
	}},
	{"a deadline that is due", outboxes, "delivered", func(b *Books, _ *Expectations) { b.Outboxes[0].Early = false }},
	{"a deadline that was refused", outboxes, "delivered", func(b *Books, _ *Expectations) { b.Outboxes[0].Attempts = 1 }},
	{"a service without queues", "every service has its queues", "orders", func(b *Books, _ *Expectations) { b.Queues = b.Queues[2:] }},
	{"a message that has not been read", "every queue is empty, those of retries too", "orders.commands", func(b *Books, _ *Expectations) { b.Queues[0].Messages = 1 }},
	{"a dead letter", dead, "waiting", func(b *Books, _ *Expectations) {
		b.DeadLetters = []Message{{Where: "orders.events.dead", ID: "m7", Subject: "waiting"}}
	}},
	{"a dead letter about nothing", dead, "orders.events.dead", func(b *Books, e *Expectations) {
		b.DeadLetters = []Message{{Where: "orders.events.dead", ID: "m7"}, {Where: "orders.events.dead", ID: "m8"}}
		e.Dead = []string{"m7"}
	}},
	{"poison of the laboratory that nobody has discarded", dead, "laboratory", func(b *Books, _ *Expectations) {
		b.DeadLetters = []Message{{Where: "payments.commands.dead", ID: "m7", Subject: "laboratory"}}
	}},
	{"an expected dead letter is not there", dead, "m9", func(_ *Books, e *Expectations) { e.Dead = []string{"m9"} }},
}
