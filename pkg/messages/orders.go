package messages

import "time"

// CheckProgress is a deadline: orders sends it to itself with a delay and finds out whether the order has moved on since.
type CheckProgress struct {
	OrderID string `json:"order_id"`
	Step    int    `json:"step"`    // the order's step when the deadline was set; another step by now means that it moved on
	Attempt int    `json:"attempt"` // how many deadlines have passed in this step
}

// OrderPlaced reports an accepted order.
type OrderPlaced struct {
	OrderID    string    `json:"order_id"`
	CustomerID string    `json:"customer_id"`
	Lines      []Line    `json:"lines"`
	Total      Money     `json:"total"`
	At         time.Time `json:"at"`
}

// OrderStatusChanged reports one entry of an order's timeline.
type OrderStatusChanged struct {
	OrderID    string    `json:"order_id"`
	CustomerID string    `json:"customer_id"`
	Seq        int       `json:"seq"` // 1, 2, 3 … within the order
	Status     string    `json:"status"`
	Entered    bool      `json:"entered"` // the order came into the status with this entry; else it was in it already
	Reason     string    `json:"reason,omitempty"`
	What       string    `json:"what"`
	At         time.Time `json:"at"`
}

// OrderCancelled reports that an order has ended with nothing charged and nothing held.
type OrderCancelled struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
	Reason     string `json:"reason"`
}

// OrderCompleted reports that an order has been delivered. Inventory takes its stock off the books.
type OrderCompleted struct {
	OrderID    string `json:"order_id"`
	CustomerID string `json:"customer_id"`
}

func (CheckProgress) Kind() string      { return "orders.check_progress" }
func (OrderPlaced) Kind() string        { return "orders.order_placed" }
func (OrderStatusChanged) Kind() string { return "orders.order_status_changed" }
func (OrderCancelled) Kind() string     { return "orders.order_cancelled" }
func (OrderCompleted) Kind() string     { return "orders.order_completed" }

func (m CheckProgress) Subject() string      { return m.OrderID }
func (m OrderPlaced) Subject() string        { return m.OrderID }
func (m OrderStatusChanged) Subject() string { return m.OrderID }
func (m OrderCancelled) Subject() string     { return m.OrderID }
func (m OrderCompleted) Subject() string     { return m.OrderID }

func (CheckProgress) command()   {}
func (OrderPlaced) news()        {}
func (OrderStatusChanged) news() {}
func (OrderCancelled) news()     {}
