// Package outbox commits a change of state together with the messages about it (the transactional outbox pattern: Chris
// Richardson, Microservices Patterns, 2018). Messages are rows that are written in the transaction that changes the state.
// A relay publishes the rows that were committed. Nothing else in the system publishes.
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

// Migrations creates the outbox's table.
func Migrations() postgres.Migrations { return postgres.Sub("outbox", files, "migrations") }

const (
	// lease is how long a row belongs to the replica that has written or claimed it. After that any relay may claim it. If
	// two relays publish the same message, its receiver handles it once.
	lease = 5 * time.Second
	// freshMost is how many messages a replica keeps in memory until it has published them. Messages that are committed
	// beyond that have no lease: any relay finds them in the table.
	freshMost = 2000
)

// Outbox is the outbox of a service, as one of its replicas sees it. The row of a message that this replica commits is
// leased to it from the start: the message is published from memory, and only the row's removal costs the database a
// statement.
type Outbox struct {
	source string
	wake   chan struct{} // there are messages in memory
	look   chan struct{} // there are messages in the table without a lease

	mu    sync.Mutex
	fresh []leased
	room  int  // how many more may be kept in memory, less those that are about to be committed
	shut  bool // the broker does not take messages: they wait in the table
}

// leased is a message that this replica has committed, with the end of its lease.
type leased struct {
	bus.Message
	until time.Time
}

// New returns the outbox of a service. source is the source that its messages name. A Relay has to publish them.
func New(source string) *Outbox {
	return &Outbox{source: source, wake: make(chan struct{}, 1), look: make(chan struct{}, 1), room: freshMost}
}

// Letter is a message with its origin.
type Letter struct {
	messages.Message
	Origin Origin
}

// Send queues messages in tx, in one statement for all. They are published once tx has committed, and never if it has not.
// A message that is sent twice is two messages.
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

// Deliver sends messages whose origin is that of ctx.
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
	default: // the relay is woken already
	}
}

// reserve reserves room in memory for messages that are about to be committed, and reports whether there is enough.
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

// take returns messages to publish that are still leased to this replica. It drops the others: any relay finds them in the
// table.
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

// shutter says whether messages may be kept in memory: not while the broker does not take them.
func (o *Outbox) shutter(shut bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut = shut
}
