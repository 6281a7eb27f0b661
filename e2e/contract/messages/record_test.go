package messages

import (
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const order = "0199c0de-0000-7000-8000-000000000001"

// passing returns a message as payments sends it.
func passing() amqp.Delivery {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000, time.UTC)
	const id = "0199c0de-0000-7000-8000-000000000002"
	return amqp.Delivery{
		Exchange: "orderflow.events", RoutingKey: "payments.payment_taken", MessageId: id, Type: "payments.payment_taken", CorrelationId: order,
		AppId: "payments", Timestamp: at.Truncate(time.Second), ContentType: "application/json", DeliveryMode: amqp.Persistent,
		Headers: amqp.Table{
			"ce-specversion": "1.0", "ce-id": id, "ce-type": "payments.payment_taken", "ce-source": "/orderflow/payments", "ce-subject": order,
			"ce-time": at.Format(time.RFC3339Nano), "sent-at": at.Format(time.RFC3339Nano),
		},
		Body: []byte(`{"order_id":"` + order + `","amount":{"amount":2598,"currency":"EUR"}}`),
	}
}

// retried returns it as a copy that has failed once.
func retried() amqp.Delivery {
	d := passing()
	d.Exchange, d.RoutingKey = "orders.redelivery", "orders.events.retry.500ms"
	d.Headers["attempt"], d.Headers["x-death"] = int32(2), "the broker's own"
	d.Headers["first-failed-at"], d.Headers["last-failed-at"], d.Headers["error"] = d.Headers["ce-time"], d.Headers["ce-time"], "try again"
	return d
}

func TestAMessageThatDiffersFromTheDocumentIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		message func() amqp.Delivery
		change  func(*amqp.Delivery)
		problem string // empty: none
	}{
		{"as it should be", passing, func(*amqp.Delivery) {}, ""},
		{"a retry", retried, func(*amqp.Delivery) {}, ""},
		{"a dead letter that nobody can read", retried, func(d *amqp.Delivery) { d.Headers["dead-reason"], d.Body = "rejected", []byte("?") }, ""},
		{"a dead letter for a reason that is not known", retried, func(d *amqp.Delivery) { d.Headers["dead-reason"] = "unloved" }, "dead-reason"},
		{"an unknown field", passing, func(d *amqp.Delivery) { d.Body = []byte(`{"colour":"blue",` + string(d.Body[1:])) }, "no field colour"},
		{"a field that is missing", passing, func(d *amqp.Delivery) { d.Body = []byte(`{"order_id":"` + order + `"}`) }, "amount"},
		{"an unknown field in a retry", retried, func(d *amqp.Delivery) { d.Body = []byte(`{"colour":"blue",` + string(d.Body[1:])) }, "no field colour"},
		{"an unknown header", passing, func(d *amqp.Delivery) { d.Headers["colour"] = "blue" }, "no field colour"},
		{"a header of retries", passing, func(d *amqp.Delivery) { d.Headers["attempt"] = int32(1) }, "no field attempt"},
		{"a property that contradicts its header", passing, func(d *amqp.Delivery) { d.MessageId = order }, "message_id"},
		{"a time that contradicts its header", passing, func(d *amqp.Delivery) { d.Timestamp = d.Timestamp.Add(time.Second) }, "timestamp"},
		{"another content type", passing, func(d *amqp.Delivery) { d.ContentType = "text/plain" }, "text/plain"},
		{"not persistent", passing, func(d *amqp.Delivery) { d.DeliveryMode = amqp.Transient }, "delivery mode 1"},
		{"another exchange", passing, func(d *amqp.Delivery) { d.Exchange = "orderflow.commands" }, "was sent to orderflow.commands"},
		{"another routing key", passing, func(d *amqp.Delivery) { d.RoutingKey = "payments.payment_declined" }, "as payments.payment_declined"},
		{"another sender", passing, func(d *amqp.Delivery) { d.AppId, d.Headers["ce-source"] = "shipping", "/orderflow/shipping" }, "shipping does not send"},
		{"another subject", passing, func(d *amqp.Delivery) { d.CorrelationId, d.Headers["ce-subject"] = "MUG", "MUG" }, `its subject is "MUG"`},
		{"a message that is not written down", passing, func(d *amqp.Delivery) {
			d.Type, d.RoutingKey, d.Headers["ce-type"] = "payments.payment_lost", "payments.payment_lost", "payments.payment_lost"
		}, "no message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := NewRecord()
			if err != nil {
				t.Fatal(err)
			}
			d := c.message()
			c.change(&d)
			r.note(d)
			if err := r.Err(); (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%v, want %q", err, c.problem)
			}
		})
	}
}

func TestKindsThatHaveNotPassedAreMissing(t *testing.T) {
	t.Parallel()
	r, err := NewRecord()
	if err != nil {
		t.Fatal(err)
	}
	all := len(r.Missing())
	r.note(passing())
	missing := strings.Join(r.Missing(), " ")
	if len(r.Missing()) != all-1 || strings.Contains(missing, "payments.payment_taken") || strings.Contains(missing, "orders.check_progress") {
		t.Errorf("missing are %s", missing)
	}
}
