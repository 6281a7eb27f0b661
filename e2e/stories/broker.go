package stories

import (
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

// Dial connects to a broker until the test ends.
func Dial(t testing.TB, url string) *amqp.Connection {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) }) // the broker may be away
	return conn
}

// Channel opens a channel. It is closed when an operation on it is refused.
func Channel(t testing.TB, conn *amqp.Connection) *amqp.Channel {
	t.Helper()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// Poison sends payments n commands that it cannot read. It returns when they are in the queue.
func Poison(t testing.TB, url string, n int) {
	t.Helper()
	ch := Channel(t, Dial(t, url))
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for range n {
		confirm, err := ch.PublishWithDeferredConfirm("orderflow.commands", "payments.take_payment", true, false, amqp.Publishing{
			MessageId: uuid.NewString(), Type: "payments.take_payment", CorrelationId: uuid.NewString(),
			DeliveryMode: amqp.Persistent, Body: []byte(`{"amount": "much"}`),
		})
		if err != nil || !confirm.Wait() {
			t.Fatalf("put a message by hand: %v", err)
		}
	}
}
