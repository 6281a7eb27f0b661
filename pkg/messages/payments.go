package messages

import "fmt"

// TakePayment tells payments to charge an order, once.
type TakePayment struct {
	OrderID string `json:"order_id"`
	Amount  Money  `json:"amount"`
	Method  string `json:"method"` // the provider's token for a card
}

// RefundPayment tells payments to make sure that an order costs nothing: to give back what was charged, and to charge
// nothing in the future.
type RefundPayment struct {
	OrderID string `json:"order_id"`
}

// PaymentTaken reports a charge.
type PaymentTaken struct {
	OrderID string `json:"order_id"`
	Amount  Money  `json:"amount"`
}

// PaymentDeclined reports that the provider will not charge this order; nothing was charged.
type PaymentDeclined struct {
	OrderID string `json:"order_id"`
	Code    string `json:"code"` // the provider's reason
}

// PaymentRefunded reports that nothing is charged for an order, net. The amount is what was given back: zero when nothing
// had been charged.
type PaymentRefunded struct {
	OrderID string      `json:"order_id"`
	Amount  Money       `json:"amount"`
	Settled *Settlement `json:"settled,omitempty"`
}

func (TakePayment) Kind() string     { return "payments.take_payment" }
func (RefundPayment) Kind() string   { return "payments.refund_payment" }
func (PaymentTaken) Kind() string    { return "payments.payment_taken" }
func (PaymentDeclined) Kind() string { return "payments.payment_declined" }
func (PaymentRefunded) Kind() string { return "payments.payment_refunded" }

func (m TakePayment) Subject() string     { return m.OrderID }
func (m RefundPayment) Subject() string   { return m.OrderID }
func (m PaymentTaken) Subject() string    { return m.OrderID }
func (m PaymentDeclined) Subject() string { return m.OrderID }
func (m PaymentRefunded) Subject() string { return m.OrderID }

func (TakePayment) command()   {}
func (RefundPayment) command() {}

// Validate checks that there is a positive amount in a currency, and a method.
func (m TakePayment) Validate() error {
	if m.Amount.Amount <= 0 || m.Amount.Currency == "" || m.Method == "" {
		return fmt.Errorf("charge %d %q by %q", m.Amount.Amount, m.Amount.Currency, m.Method)
	}
	return nil
}
