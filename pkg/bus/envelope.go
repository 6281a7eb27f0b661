package bus

import (
	"fmt"
	"time"

	"example.com/orderflow/pkg/messages"
	amqp "github.com/rabbitmq/amqp091-go"
)

// Exchanges that all services share. Routing keys are the kinds of the messages.
const (
	Events   = "orderflow.events"   // topic: an event goes to every queue bound to its kind
	Commands = "orderflow.commands" // direct: a command goes to its owner's queue
)

// Message is the envelope: a CloudEvents 1.0 message in binary mode, attributes in properties and headers, the JSON of
// the message as its body. AMQP 0-9-1 has no official CloudEvents binding; this follows the one of Knative's eventing-rabbitmq.
type Message struct {
	ID          string    // UUIDv7; the same for every copy of the message
	Kind        string    // routing key, and ce-type
	Source      string    // the service that sent it
	Subject     string    // the order or product that it is about; also the correlation id
	CausationID string    // the message that it answers; empty when a request from outside caused it
	TraceParent string    // W3C Trace Context
	TraceState  string    //
	Time        time.Time // when it was sent
	Body        []byte

	Exchange  string // where to publish it
	Mandatory bool   // it is an error when no queue takes it
}

// Delivery is a message that has arrived.
type Delivery struct {
	Message
	Queue   string // from which it was taken
	Attempt int    // 1 for the first

	raw amqp.Delivery
}

const contentType = "application/json"

// Headers of a message. All that start with "x-" belong to the broker.
const (
	headerSent         = "sent-at" // when this copy was sent; ce-time is when the message was created, which may be long before
	headerAttempt      = "attempt"
	headerFirstFailed  = "first-failed-at"
	headerLastFailed   = "last-failed-at"
	headerError        = "error"
	headerDeadReason   = "dead-reason"
	headerDeadQueue    = "dead-queue"
	headerReplayedBy   = "replayed-by"
	headerTraceParent  = "traceparent"
	headerTraceState   = "tracestate"
	headerCausation    = "causationid"
	cloudEventsVersion = "1.0"
)

func (m Message) publishing() amqp.Publishing {
	at := m.Time.UTC()
	headers := amqp.Table{
		"ce-specversion": cloudEventsVersion,
		"ce-id":          m.ID,
		"ce-type":        m.Kind,
		"ce-source":      "/orderflow/" + m.Source,
		"ce-subject":     m.Subject,
		"ce-time":        at.Format(time.RFC3339Nano),
	}
	for name, value := range map[string]string{
		headerCausation: m.CausationID, headerTraceParent: m.TraceParent, headerTraceState: m.TraceState,
	} {
		if value != "" {
			headers[name] = value
		}
	}
	return amqp.Publishing{
		MessageId:     m.ID,
		Type:          m.Kind,
		CorrelationId: m.Subject,
		Timestamp:     at,
		AppId:         m.Source,
		ContentType:   contentType,
		DeliveryMode:  amqp.Persistent,
		Headers:       headers,
		Body:          m.Body,
	}
}

// received reads an envelope without checking it. The inbox checks it, and can dead-letter it.
func received(d amqp.Delivery) Delivery {
	return Delivery{
		Message: Message{
			ID:          d.MessageId,
			Kind:        d.Type,
			Source:      d.AppId,
			Subject:     d.CorrelationId,
			CausationID: text(d.Headers, headerCausation),
			TraceParent: text(d.Headers, headerTraceParent),
			TraceState:  text(d.Headers, headerTraceState),
			Time:        d.Timestamp,
			Body:        d.Body,
		},
		Attempt: max(1, number(d.Headers, headerAttempt)),
		raw:     d,
	}
}

// Route returns the exchange of a message, and whether it is an error that no queue takes it.
func Route(m messages.Message) (exchange string, mandatory bool) {
	if _, ok := m.(messages.Command); ok {
		return Commands, true
	}
	_, notification := m.(messages.Notification)
	return Events, !notification
}

func text(t amqp.Table, name string) string {
	switch v := t[name].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

func number(t amqp.Table, name string) int {
	switch v := t[name].(type) {
	case int32:
		return int(v)
	case int64:
		return int(v)
	default:
		return 0
	}
}

func moment(t amqp.Table, name string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text(t, name))
	if err != nil {
		return time.Time{}
	}
	return at
}
