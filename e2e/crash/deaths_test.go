package crash

import "slices"

// death is a crash of a service at a point, and the story that is told meanwhile.
type death struct {
	trail string // the points that it passes one after another; it crashes at the last
	story *story
}

// everywhere are the crashes of all services: with messages in hand, and with rows in the outbox.
var everywhere = []death{
	{"bus.arrived", ordered},
	{"bus.arrived unit.begun", ordered},
	{"inbox.noted", ordered},
	{"inbox.noted unit.loaded", ordered},
	{"inbox.noted postgres.committing", ordered},
	{"bus.settled", ordered},
	{"bus.acked", ordered},
	{"unit.divided", divided},
	{"unit.divided inbox.noted postgres.committed inbox.noted", divided}, // the first is committed, none is acknowledged
	{"bus.failed", retried},
	{"bus.failed bus.published", retried},
	{"bus.failed bus.settled", retried},
	{"bus.published", ordered},
	{"outbox.confirmed", ordered},
	{"outbox.removed", ordered},
	{"outbox.claimed", left}, // by the relay after the next start; the process before had leased the rows when it inserted them
	{"outbox.claimed bus.published", left},
	{"outbox.claimed outbox.confirmed", left},
	{"outbox.claimed outbox.removed", left},
	{"unit.grouped", together},
	{"unit.grouped unit.loaded postgres.committing", together},
	{"unit.grouped unit.loaded postgres.committed", together}, // no caller has an answer
}

// deaths are all crashes, by service. Those after which a lease has to run out come first, so that it runs out during the
// others: above all those of rows that are leased to a worker when they are inserted, if it crashes before it begins.
var deaths = map[string][]death{
	"orders": slices.Concat([]death{
		{"inbox.noted postgres.committed", ordered},
		{"orders.overdue", unanswered},
		{"orders.overdue postgres.committing", unanswered},
		{"orders.overdue postgres.committed", unanswered},
		{"orders.placed", ordered},
		{"bus.settled bus.settled bus.settled inbox.noted postgres.committing", refused},
	}, everywhere),

	"payments": slices.Concat([]death{
		{"inbox.noted postgres.committed", ordered},
		{"worker.claimed", ordered},
		{"payments.charged", ordered},
		{"payments.charged postgres.committing", ordered},
		{"payments.charged", withdrawn},
		{"payments.refunded", refused},
		{"payments.refunded postgres.committing", refused},
		{"payments.charged postgres.committed", ordered},
		{"worker.done", ordered},
	}, everywhere),

	"shipping": slices.Concat([]death{
		{"inbox.noted postgres.committed", ordered},
		{"worker.claimed", ordered},
		{"shipping.shipped", ordered},
		{"shipping.shipped postgres.committing", ordered},
		{"shipping.shipped", withdrawn},
		{"shipping.recalled", recalled},
		{"shipping.recalled postgres.committing", recalled},
		{"shipping.shipped postgres.committed", ordered},
		{"shipping.tracked", ordered},
		{"shipping.tracked postgres.committing", ordered},
		{"shipping.tracked postgres.committed", ordered},
		{"worker.done", ordered},
	}, everywhere),

	"inventory": slices.Concat([]death{
		{"inbox.noted postgres.committed", backordered},
		{"worker.claimed", backordered},
		{"inventory.found", backordered},
		{"inventory.ordered", backordered},
		{"inventory.ordered postgres.committing", backordered},
		{"inventory.ordered inventory.found postgres.committing", backordered}, // the delivery has arrived
		{"inventory.ordered inventory.found postgres.committed", backordered},
		{"worker.done", backordered},
		{"bus.settled inbox.noted postgres.committing", refused}, // the stock is released
	}, everywhere),
}
