package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

// message is a message of an order, in an outbox or in transit. Its body is about as long as Orderflow's are.
type message struct {
	id    uuid.UUID
	hop   int
	order uuid.UUID
	body  []byte
	cause uuid.UUID // the message that it answers
}

// body is the JSON of a message.
type body struct {
	Hop      int       `json:"hop"`
	OrderID  uuid.UUID `json:"order_id"`
	Customer string    `json:"customer_id"`
	Lines    []line    `json:"lines"`
	Total    money     `json:"total"`
	Method   string    `json:"payment_method"`
}

type line struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

type money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// compose makes the message of an order for a hop.
func compose(order uuid.UUID, at int, cause uuid.UUID) (message, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return message{}, fmt.Errorf("message id: %w", err)
	}
	text, err := json.Marshal(body{at, order, "alice", []line{{"BENCH-MUG", 1}}, money{1000, "EUR"}, "tok_visa"})
	if err != nil {
		return message{}, fmt.Errorf("encode a message: %w", err)
	}
	return message{id, at, order, text, cause}, nil
}

// read parses a delivery into a message.
func read(d amqp.Delivery) (message, error) {
	id, err := uuid.Parse(d.MessageId)
	if err != nil {
		return message{}, fmt.Errorf("message id: %w", err)
	}
	var b body
	if err := json.Unmarshal(d.Body, &b); err != nil {
		return message{}, fmt.Errorf("read a message: %w", err)
	}
	if b.Hop < 0 || b.Hop >= len(hops) {
		return message{}, fmt.Errorf("an order has no message %d", b.Hop)
	}
	return message{id: id, hop: b.Hop, order: b.OrderID}, nil
}

// next is the message that follows; false after the last.
func (m message) next() (message, bool, error) {
	if m.hop == len(hops)-1 {
		return message{}, false, nil
	}
	n, err := compose(m.order, m.hop+1, m.id)
	return n, true, err
}

func (m message) kind() string { return hops[m.hop].kind }

// publishing is a channel with confirms.
type publishing struct {
	ch       *amqp.Channel
	returned chan amqp.Return
}

// returnMost is more than the number of messages that are published before the returned ones are read.
const returnMost = 4096

func openPublishing(conn *amqp.Connection) (publishing, error) {
	ch, err := conn.Channel()
	if err != nil {
		return publishing{}, fmt.Errorf("open a channel to publish: %w", err)
	}
	if err := ch.Confirm(false); err != nil {
		return publishing{}, fmt.Errorf("confirm mode: %w", err)
	}
	return publishing{ch, ch.NotifyReturn(make(chan amqp.Return, returnMost))}, nil
}

// send publishes without waiting for the confirm.
func (p publishing) send(ctx context.Context, m message) (*amqp.DeferredConfirmation, error) {
	return p.ch.PublishWithDeferredConfirmWithContext(ctx, exchange, m.kind(), true, false, amqp.Publishing{
		MessageId: m.id.String(), Type: m.kind(), CorrelationId: m.order.String(), ContentType: "application/json",
		DeliveryMode: amqp.Persistent, Timestamp: time.Now(), Body: m.body,
		Headers: amqp.Table{"traceparent": "00-" + hexOf(m.order) + "-00f067aa0ba902b7-01"},
	})
}

var (
	errRefused  = errors.New("RabbitMQ has refused a message")
	errReturned = errors.New("a message has no queue to go to")
)

// confirmed waits for the broker's confirm. The broker returns an unroutable message before it confirms it, so the return is
// seen here first.
func (p publishing) confirmed(ctx context.Context, c *amqp.DeferredConfirmation) error {
	ok, err := c.WaitContext(ctx)
	if err != nil {
		return fmt.Errorf("wait for a confirm: %w", err)
	}
	if !ok {
		return errRefused
	}
	select {
	case _, open := <-p.returned:
		if open {
			return errReturned
		}
	default:
	}
	return nil
}

func hexOf(id uuid.UUID) string { return fmt.Sprintf("%x", id[:]) }

// distinct removes duplicates within a batch.
func distinct(batch []message) []message {
	seen := make(map[uuid.UUID]bool, len(batch))
	return slices.DeleteFunc(batch, func(m message) bool {
		twice := seen[m.id]
		seen[m.id] = true
		return twice
	})
}
