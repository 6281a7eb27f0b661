// Package outbox makes a change of state and the messages about it one thing (the transactional outbox pattern: Chris
// Richardson, Microservices Patterns, 2018): messages are rows in the transaction that changes the state, and a relay
// publishes the rows that were committed. Nothing else in the system publishes.
package outbox

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
	"github.com/google/uuid"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations makes the outbox's table.
func Migrations() postgres.Migrations { return postgres.Sub("outbox", files, "migrations") }

const (
	// lease is how long a row belongs to the replica that has written it, or has claimed it. Then any relay may claim it. If two
	// publish the same message, its receiver handles it once.
	lease = 5 * time.Second
	// freshMost is how many messages a replica keeps in memory until it has published them. What is committed beyond that has no
	// lease: any relay finds it in the table.
	freshMost = 2000
)

// Outbox is the outbox of a service, as one of its replicas sees it. A message that this replica commits is a row that is
// leased to it from birth: it is published from memory, and only its removal costs the database a statement.
type Outbox struct {
	source string
	wake   chan struct{} // there are messages in memory
	look   chan struct{} // there are some in the table that nobody has a lease of

	mu    sync.Mutex
	fresh []leased
	room  int  // how many more may be kept in memory, those that are about to be committed left out
	shut  bool // the broker does not take messages: they wait in the table
}

// leased is a message that this replica has committed, and how long it is the only one to publish it.
type leased struct {
	bus.Message
	until time.Time
}

// New returns the outbox of a service, which is named as the source of its messages. A Relay has to publish them.
func New(source string) *Outbox {
	return &Outbox{source: source, wake: make(chan struct{}, 1), look: make(chan struct{}, 1), room: freshMost}
}

// Letter is a message with its origin: what has caused it.
type Letter struct {
	messages.Message
	Origin Origin
}

// Send queues messages in tx. They are published once it has committed, and never if it has not: one statement for all. What
// is sent twice is two messages.
func (o *Outbox) Send(tx *postgres.Tx, letters ...Letter) error {
	if len(letters) == 0 {
		return nil
	}
	now := time.Now().UTC()
	batch := make([]leased, len(letters))
	columns := make([][]string, 8)
	mandatory := make([]bool, len(letters))
	for i, l := range letters {
		body, err := json.Marshal(l.Message)
		if err != nil {
			return fmt.Errorf("encode %s: %w", l.Kind(), err)
		}
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("message id: %w", err)
		}
		m := bus.Message{
			ID: id.String(), Kind: l.Kind(), Source: o.source, Subject: l.Subject(), Time: now, Body: body,
			CausationID: l.Origin.CausationID, TraceParent: l.Origin.TraceParent, TraceState: l.Origin.TraceState,
		}
		m.Exchange, m.Mandatory = bus.Route(l.Message)
		mandatory[i] = m.Mandatory
		for c, value := range []string{m.ID, m.Exchange, m.Kind, m.Subject, string(body), m.CausationID, m.TraceParent, m.TraceState} {
			columns[c] = append(columns[c], value)
		}
		batch[i] = leased{m, now.Add(lease)}
	}
	var mine time.Duration
	if o.reserve(len(batch)) {
		mine = lease
		tx.OnCommit(func() { o.add(batch) })
		tx.OnRollback(func() { o.release(len(batch)) })
	} else {
		tx.OnCommit(func() { signal(o.look) })
	}
	tx.Queue(`
		INSERT INTO outbox (id, exchange, kind, subject, body, causation_id, trace_parent, trace_state, mandatory, created_at, due_at)
		SELECT m.*, $10, clock_timestamp() + $11::interval
		FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::json[], $6::text[], $7::text[], $8::text[], $9::boolean[]) AS m`,
		columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], columns[6], columns[7], mandatory, now, mine)
	return nil
}

// Deliver sends messages that are caused by what is being done in ctx.
func (o *Outbox) Deliver(ctx context.Context, tx *postgres.Tx, msgs ...messages.Message) error {
	return o.Send(tx, Letters(OriginOf(ctx), msgs...)...)
}

// Letters gives messages one origin.
func Letters(origin Origin, msgs ...messages.Message) []Letter {
	letters := make([]Letter, len(msgs))
	for i, m := range msgs {
		letters[i] = Letter{m, origin}
	}
	return letters
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // the relay is about to look anyway
	}
}

// reserve keeps room in memory for messages that are about to be committed, if there is any.
func (o *Outbox) reserve(n int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut || o.room < n {
		return false
	}
	o.room -= n
	return true
}

func (o *Outbox) release(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.room += n
}

func (o *Outbox) add(batch []leased) {
	o.mu.Lock()
	o.fresh = append(o.fresh, batch...)
	o.mu.Unlock()
	signal(o.wake)
}

// take returns messages to publish that are still leased to this replica. The others are in the table, for any relay.
func (o *Outbox) take(most int) (batch []bus.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, l := range o.fresh {
		if len(batch) == most {
			break
		}
		n++
		if time.Now().Before(l.until) {
			batch = append(batch, l.Message)
		}
	}
	o.fresh = o.fresh[n:]
	if len(o.fresh) == 0 {
		o.fresh = nil
	} else {
		signal(o.wake)
	}
	o.room += n
	return batch
}

// shutter tells whether messages may be kept in memory: not while the broker does not take them.
func (o *Outbox) shutter(shut bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut = shut
}
