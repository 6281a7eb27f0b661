// Package messages compares every message that passes RabbitMQ with api/asyncapi.yaml: its body and its headers, the
// exchange and the routing key, its sender. The schemas are closed, so a field that nobody has written down is an error.
package messages

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/orderflow/api/asyncapi"
)

// Record is what has passed in one run of tests, in one or several systems.
type Record struct {
	document *asyncapi.Document
	schemas  *asyncapi.Schemas

	mu       sync.Mutex
	seen     map[string]int // by kind
	wrong    []error
	moreThan bool // there were more errors than those in wrong
}

// wrongMost bounds the errors that are kept: the first ones say enough.
const wrongMost = 10

// NewRecord returns an empty record.
func NewRecord() (*Record, error) {
	d, err := asyncapi.Read()
	if err != nil {
		return nil, err
	}
	s, err := d.Schemas()
	if err != nil {
		return nil, err
	}
	return &Record{document: d, schemas: s, seen: map[string]int{}}, nil
}

// Err returns what was wrong with messages, or nil. Each error shows the whole message.
func (r *Record) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := errors.Join(r.wrong...)
	if r.moreThan {
		err = errors.Join(err, fmt.Errorf("there were more than %d such messages", wrongMost))
	}
	return err
}

// Missing returns the documented kinds that have not passed, without those that nobody sends any more.
func (r *Record) Missing() (kinds []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, application := range r.document.Applications() {
		for _, kind := range r.document.Sent(application) {
			if r.seen[kind] == 0 {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}

// Seen returns how many messages of each kind have passed, as text.
func (r *Record) Seen() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(r.seen)) {
		all = append(all, fmt.Sprintf("%s %d", kind, r.seen[kind]))
	}
	return strings.Join(all, ", ")
}

// note compares a message with the document.
func (r *Record) note(d amqp.Delivery) {
	err := r.check(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[d.Type]++
	if err == nil {
		return
	}
	if len(r.wrong) == wrongMost {
		r.moreThan = true
		return
	}
	r.wrong = append(r.wrong, fmt.Errorf("%w\n%s by %q through %s, %v\n%s", err, d.RoutingKey, d.AppId, d.Exchange, d.Headers, d.Body))
}

func (r *Record) check(d amqp.Delivery) error {
	headers := map[string]any{}
	for name, value := range d.Headers {
		if !strings.HasPrefix(name, "x-") { // the broker's own
			headers[name] = value
		}
	}
	again := strings.HasSuffix(d.Exchange, ".redelivery")
	problems := []error{r.schemas.Headers(headers, again), r.agrees(d)}
	if d.Headers["dead-reason"] != "rejected" { // such a body may be one that nobody can read
		problems = append(problems, r.schemas.Body(d.Type, d.Body))
	}
	if !again {
		problems = append(problems, r.sent(d))
	}
	return errors.Join(problems...)
}

// agrees compares what a message says twice.
func (r *Record) agrees(d amqp.Delivery) error {
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(d.Headers["ce-time"]))
	if err != nil {
		return fmt.Errorf("ce-time: %w", err)
	}
	properties := map[string]string{
		"message_id": d.MessageId, "type": d.Type, "correlation_id": d.CorrelationId, "app_id": "/orderflow/" + d.AppId,
		"timestamp": d.Timestamp.UTC().Format(time.RFC3339),
	}
	headers, _ := r.document.Headers()
	var problems []error
	for _, h := range headers {
		want, known := properties[h.Value.Property]
		got := fmt.Sprint(d.Headers[h.Key])
		if h.Value.Property == "timestamp" {
			got = at.UTC().Truncate(time.Second).Format(time.RFC3339)
		}
		if h.Value.Property != "" && (!known || got != want) {
			problems = append(problems, fmt.Errorf("the header %s is %s, and the property %s is %s", h.Key, got, h.Value.Property, want))
		}
	}
	if d.ContentType != "application/json" || d.DeliveryMode != amqp.Persistent {
		problems = append(problems, fmt.Errorf("it is %s, with delivery mode %d", d.ContentType, d.DeliveryMode))
	}
	return errors.Join(problems...)
}

// sent compares how a message was published.
func (r *Record) sent(d amqp.Delivery) error {
	channel := "events"
	if r.document.Type(d.Type) == "command" {
		channel = "commands"
	}
	var problems []error
	if exchange := r.document.Channels.Get(channel).Bindings.AMQP.Exchange.Name; d.Exchange != exchange || d.RoutingKey != d.Type {
		problems = append(problems, fmt.Errorf("%s was sent to %s as %s", d.Type, d.Exchange, d.RoutingKey))
	}
	if !slices.Contains(r.document.Sent(d.AppId), d.Type) {
		problems = append(problems, fmt.Errorf("%s does not send %s", d.AppId, d.Type))
	}
	var about struct {
		Order   string `json:"order_id"`
		Product string `json:"sku"`
	}
	if err := json.Unmarshal(d.Body, &about); err != nil || about.Order+about.Product != d.CorrelationId {
		problems = append(problems, fmt.Errorf("it is about %q, and its subject is %q", about.Order+about.Product, d.CorrelationId))
	}
	return errors.Join(problems...)
}
