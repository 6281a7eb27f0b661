package messages

import "time"

// CheckProgress is a deadline: orders sends it to itself with a delay, to find out whether the order has moved on since.
type CheckProgress struct {
	OrderID string `json:"order_id"`
	Step    int    `json:"step"`    // the order's step when the deadline was set; another step by now means that it moved on
	Attempt int    `json:"attempt"` // how many deadlines have passed in this step
}

// OrderChange is the part that all events of orders have in common: the entries that were added to an order's timeline in
// one transaction. Usually that is one entry, after whose meaning the event is named.
type OrderChange struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	OrderEntry
	Reason  string       `json:"reason,omitempty"`  // why the order was compensated
	Earlier []OrderEntry `json:"earlier,omitempty"` // entries that were added before, in the same transaction
}

// OrderEntry is an entry of an order's timeline.
type OrderEntry struct {
	Seq     int       `json:"seq"` // 1, 2, 3 … within the order
	Status  string    `json:"status"`
	Entered bool      `json:"entered"`         // the order entered the status with this entry; false: it was in the status before
	Event   string    `json:"event,omitempty"` // what happened, for programs; empty: the sender is of an earlier release
	What    string    `json:"what"`            // the same for people
	At      time.Time `json:"at"`
}

// OrderPlaced reports an accepted order.
type OrderPlaced struct {
	OrderChange
	Lines []Line `json:"lines"`
	Total Money  `json:"total"`
}

// OrderStatusChanged reports progress of an order that has no event of its own.
type OrderStatusChanged struct{ OrderChange }

// OrderCancelled reports that an order has ended, with nothing charged and nothing held.
type OrderCancelled struct{ OrderChange }

// OrderCompleted reports that an order has been delivered. Inventory takes its stock off the books.
type OrderCompleted struct{ OrderChange }

func (CheckProgress) Kind() string      { return "orders.check_progress" }
func (OrderPlaced) Kind() string        { return "orders.order_placed" }
func (OrderStatusChanged) Kind() string { return "orders.order_status_changed" }
func (OrderCancelled) Kind() string     { return "orders.order_cancelled" }
func (OrderCompleted) Kind() string     { return "orders.order_completed" }

func (m CheckProgress) Subject() string { return m.OrderID }
func (m OrderChange) Subject() string   { return m.OrderID }

func (CheckProgress) command()           {}
func (OrderPlaced) notification()        {}
func (OrderStatusChanged) notification() {}
func (OrderCancelled) notification()     {}
