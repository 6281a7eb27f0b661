package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/local/money"
)

// Books are the records about orders, money, units and parcels, of the system and of the outside world: all of them, or
// the part about some ids. They are in memory, with a few kilobytes for each order.
type Books struct {
	Saga Saga

	// From orders.
	Orders    []Order
	Promises  []Promise
	Log       []LogEntry
	Catalogue []Product // its copy

	// From payments.
	Payments []Payment

	// From inventory.
	Products     []Product
	Reservations []Reservation
	Movements    []Movement
	Supplies     []Supply

	// From shipping.
	Shipments []Shipment

	// From the outside world.
	Ledger     []Entry
	Parcels    []Parcel
	Deliveries []Delivery

	// Messages on their way between services.
	Outboxes    []Message
	Queues      []Queue
	DeadLetters []Message
}

// Money is an amount in minor units.
type Money struct {
	Amount   int64
	Currency string
}

func (m Money) String() string { return money.Text(m.Amount, m.Currency) }

// Line is a number of units of a product.
type Line struct {
	SKU      string
	Quantity int
}

// units sums lines by product and writes them in one canonical form, so that two lists of the same units are the same text.
func units(lines []Line) string {
	sum := map[string]int{}
	for _, l := range lines {
		sum[l.SKU] += l.Quantity
	}
	texts := make([]string, 0, len(sum))
	for _, sku := range slices.Sorted(maps.Keys(sum)) {
		texts = append(texts, fmt.Sprintf("%d x %s", sum[sku], sku))
	}
	return strings.Join(texts, ", ")
}

// Order is an order with its timeline, and what tracking shows of its payment and its parcel.
type Order struct {
	ID, Customer, Status, Reason string
	Lines                        []Line
	Total                        Money
	PaymentStatus                string // as tracking shows it; empty: nothing
	Paid                         Money  // likewise
	TrackingNumber               string // likewise
	Seq                          int
	AttentionSince               *time.Time
	DueAt                        *time.Time // its deadline
	Overdue                      bool       // reports whether the deadline passed a while ago
	PlacedAt                     time.Time
	Timeline                     []TimelineEntry
}

// TimelineEntry is a line of an order's timeline.
type TimelineEntry struct {
	OrderID       string
	Seq           int
	At            time.Time
	Status, What  string
	Operator, Why string // the operator who made the change and their reason; empty: the system made it
}

// LogEntry is a line of the operators' log: a note, or a command that an operator had sent again.
type LogEntry struct {
	OrderID             string
	At                  time.Time
	Operator, What, Why string // why: in their own words; of a note, its text
}

func (e LogEntry) says() string {
	return strings.TrimSuffix(fmt.Sprintf("%s  %s, %s: %s", at(e.At), e.Operator, e.What, e.Why), ": ")
}

// Promise is the order's id that was returned to a customer for an Idempotency-Key.
type Promise struct{ Customer, Key, OrderID string }

// Product is a product and where its units are. In the copy that orders has, the numbers of units are zero.
type Product struct {
	SKU, Name                                 string
	Price                                     Money
	Version                                   int64
	Retired                                   bool // it is not sold any more
	Available, Reserved, Backordered, OnOrder int
	Kept                                      int // part of Available, kept for orders that wait
}

// Reservation is the stock of an order.
type Reservation struct {
	OrderID, Status string
	Lines           []Line
}

// Movement is a line of the stock ledger: units that arrived, or that left for good.
type Movement struct {
	Reference, SKU, Operator, What string
	Quantity                       int // negative when they left
	At                             time.Time
}

// Supply is an order to the supplier in inventory's books.
type Supply struct {
	ID, SKU  string
	Quantity int
	Status   string
}

// Delivery is an order in the supplier's own books.
type Delivery struct {
	Key, SKU string
	Quantity int
	Status   string
}

// Payment is the payment of an order.
type Payment struct {
	OrderID, Status          string
	Amount                   Money
	Code, ChargeID, RefundID string
	LastError                string
	DueAt                    *time.Time // nil: the payment is settled
	SettledBy, SettledWhy    string     // an operator and their reason; empty: the provider settled it
}

// Entry is a line of the provider's ledger.
type Entry struct {
	Seq                      int
	Kind, ID, Key, Reference string // kind: charge, decline or refund; reference: the order
	Code                     string
	Amount                   int64
	Currency                 string
	At                       time.Time
}

func (e Entry) money() Money { return Money{e.Amount, e.Currency} }

// Stage is one stage of a parcel's delivery.
type Stage struct {
	Stage string
	At    time.Time
}

// Shipment is the shipment of an order.
type Shipment struct {
	OrderID, Status, Reason string
	TrackingNumber          string
	Lines                   []Line
	Stages                  []Stage
	LastError               string
	DueAt                   *time.Time // nil: nothing is left to do
	SettledBy, SettledWhy   string     // an operator and their reason; empty: the carrier settled it
}

// Parcel is a parcel in the carrier's own books.
type Parcel struct {
	Reference      string // the order
	TrackingNumber string `json:"tracking_number"`
	Status         string
	Lines          []Line
	Stages         []Stage
}

// Message is a message that has not been delivered: it is in an outbox or among the dead letters.
type Message struct {
	Where             string // "outbox of orders", "orders.events.dead"
	ID, Kind, Subject string
	Early             bool // it was not due yet when it was read; only in an outbox
	Fresh             bool // a replica has just sent it and still holds its lease; only in an outbox
	Attempts          int
	LastError         string
}

// Queue is the number of messages in a queue. Retry queues are included; dead letters are listed one by one.
type Queue struct {
	Name     string
	Messages int
}
