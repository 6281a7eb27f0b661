package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/local/money"
)

// Books are what is written down about orders, money, units and parcels, by the system and by the world around it: all of
// it, or the part about some ids. They are in memory, with a few kilobytes an order.
type Books struct {
	Saga Saga

	// Of orders.
	Orders    []Order
	Promises  []Promise
	Catalogue []Product // its copy

	// Of payments.
	Payments []Payment

	// Of inventory.
	Products     []Product
	Reservations []Reservation
	Movements    []Movement
	Supplies     []Supply

	// Of shipping.
	Shipments []Shipment

	// Of the world outside.
	Ledger     []Entry
	Parcels    []Parcel
	Deliveries []Delivery

	// Of the way between them.
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

// units sums lines up by product and writes them in one way, so that two lists of the same units are the same text.
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

// Order is an order, what tracking shows of its money and its parcel, and its timeline.
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
	Overdue                      bool       // that passed a while ago
	PlacedAt                     time.Time
	Timeline                     []TimelineEntry
}

// TimelineEntry is a line of an order's timeline.
type TimelineEntry struct {
	OrderID       string
	Seq           int
	At            time.Time
	Status, What  string
	Operator, Why string // whose doing it is, if somebody's
}

// Promise is an order's id that a customer was answered with under an Idempotency-Key.
type Promise struct{ Customer, Key, OrderID string }

// Product is what is for sale, and where its units are. In the copy of orders the numbers of units are zero.
type Product struct {
	SKU, Name                                 string
	Price                                     Money
	Version                                   int64
	Available, Reserved, Backordered, OnOrder int
	Kept                                      int // of those available, for orders that wait
}

// Reservation is the stock of an order.
type Reservation struct {
	OrderID, Status string
	Lines           []Line
}

// Movement is a line of the stock's ledger: units that came, or left for good.
type Movement struct {
	Reference, SKU, Operator, What string
	Quantity                       int // negative when they left
	At                             time.Time
}

// Supply is stock that inventory wants, or has had, from the supplier.
type Supply struct {
	ID, SKU  string
	Quantity int
	Status   string
}

// Delivery is the same, in the supplier's books.
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
	DueAt                    *time.Time // nil: it is settled
	SettledBy, SettledWhy    string     // an operator, if the provider did not
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

// Stage is a step on a parcel's way.
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
	DueAt                   *time.Time // nil: there is nothing to do
	SettledBy, SettledWhy   string     // an operator, if the carrier could not say
}

// Parcel is the same, in the carrier's books.
type Parcel struct {
	Reference      string // the order
	TrackingNumber string `json:"tracking_number"`
	Status         string
	Lines          []Line
	Stages         []Stage
}

// Message is a message that has not arrived: in an outbox, or among the dead letters.
type Message struct {
	Where             string // "outbox of orders", "orders.events.dead"
	ID, Kind, Subject string
	Early             bool // its time has not come when it was looked at; only in an outbox
	Fresh             bool // it was sent a moment ago by a replica that has its lease; only in an outbox
	Attempts          int
	LastError         string
}

// Queue is how many messages are in a queue. Retry queues are queues; dead letters are listed one by one.
type Queue struct {
	Name     string
	Messages int
}
