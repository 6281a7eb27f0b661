package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/wait"
	"github.com/jackc/pgx/v5"
)

const (
	pollEvery   = time.Second // finds rows whose lease has ended: their replica has died, or the broker was away
	retryFirst  = 250 * time.Millisecond
	retryMax    = 30 * time.Second // for one message that the broker refuses
	delayMax    = 2 * time.Second  // between tries while the broker or the database is away
	flushWithin = 20 * time.Second // for one batch: confirms have 10

	removeEvery = 50 * time.Millisecond // the rows of all that was published in this time are removed together
	removeMost  = 50                    // batches whose rows may wait for removal; then publishing waits too
)

// Publisher publishes a batch and returns an error for each message, as bus.Publisher does.
type Publisher interface {
	Publish(ctx context.Context, batch []bus.Message) []error
}

// Relay publishes the rows of an outbox: those that this replica has just committed from memory, and those without a lease
// from the table. Any number of relays, in any number of replicas, share one outbox. No transaction is open while a relay
// waits for the broker: a row belongs to the replica that has its lease (docs/adr/0036).
type Relay struct {
	db        *postgres.DB
	outbox    *Outbox
	publisher Publisher
	log       *slog.Logger
	careful   atomic.Int64 // how many sweeps of the table still take one message each
}

// NewRelay returns a relay of an outbox whose table is in db.
func NewRelay(db *postgres.DB, outbox *Outbox, publisher Publisher, log *slog.Logger) *Relay {
	observe(db)
	return &Relay{db: db, outbox: outbox, publisher: publisher, log: log}
}

// Run publishes until ctx ends, and then once more what the last handlers have left. No error ends it. It returns nil.
func (r *Relay) Run(ctx context.Context) error {
	published := make(chan []string, removeMost)
	var publish, remove sync.WaitGroup
	publish.Go(func() { r.runFresh(ctx, published) })
	publish.Go(func() { r.runTable(ctx) })
	remove.Go(func() { r.runRemoval(context.WithoutCancel(ctx), published) })
	publish.Wait()
	for { // the handlers have stopped before us; what they sent should not wait for another replica
		if n, err := r.flush(context.WithoutCancel(ctx), published); err != nil || n == 0 {
			break
		}
	}
	close(published)
	remove.Wait()
	return nil //nolint:nilerr // what is left stays in the outbox
}

// runFresh publishes the messages that this replica commits.
func (r *Relay) runFresh(ctx context.Context, published chan<- []string) {
	for ctx.Err() == nil {
		n, err := r.flush(ctx, published)
		if err != nil {
			r.log.WarnContext(ctx, "messages wait in the outbox", "messages", n, "error", err)
		}
		if n == 0 {
			wait.Until(ctx, pollEvery, r.outbox.wake)
		}
	}
}

func (r *Relay) flush(ctx context.Context, published chan<- []string) (n int, err error) {
	batch := r.outbox.take(bus.MaxBatch)
	if len(batch) == 0 {
		return 0, nil
	}
	sent, err := r.publish(ctx, batch)
	if len(sent) > 0 {
		published <- sent
	}
	return len(batch), err
}

// runRemoval removes the rows of published messages, until published is closed. Nothing waits for a removal, so it is put
// off a little: then one statement removes the rows of many batches.
func (r *Relay) runRemoval(ctx context.Context, published <-chan []string) {
	for sent := range published {
		wait.For(ctx, removeEvery)
		for range len(published) {
			sent = append(sent, <-published...)
		}
		if err := r.remove(ctx, sent); err != nil { // the messages are published again, and handled once
			r.log.WarnContext(ctx, "messages that are published stay in the outbox", "messages", len(sent), "error", err)
		}
	}
}

// runTable publishes messages without a lease.
func (r *Relay) runTable(ctx context.Context) {
	delays := wait.Backoff{First: retryFirst, Most: delayMax}
	for ctx.Err() == nil {
		switch n, err := r.Sweep(ctx); {
		case err != nil:
			delay := delays.Next()
			r.log.WarnContext(ctx, "outbox waits", "error", err, "again_in", delay)
			wait.For(ctx, delay)
		case n > 0: // there may be more
			delays.Reset()
		default:
			delays.Reset()
			wait.Until(ctx, pollEvery, r.outbox.look)
		}
	}
}

// Sweep claims a batch of messages that are due, publishes it, and returns its size. The error is about the broker or the
// database as a whole. A message that the broker refuses stays with a later due time, and is no error here. A batch that
// was claimed is finished although ctx has ended.
func (r *Relay) Sweep(ctx context.Context) (n int, err error) {
	limit := bus.MaxBatch
	careful := r.careful.Load() > 0
	if careful {
		limit = 1
	}
	batch, err := r.claim(ctx, limit)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	failpoint.At("outbox.claimed")
	sent, err := r.publish(ctx, batch)
	if careful && !errors.Is(err, bus.ErrUnavailable) { // otherwise it was not tried: there is no new session yet after the last suspect
		r.careful.Add(-1)
	}
	return len(batch), errors.Join(r.remove(context.WithoutCancel(ctx), sent), err)
}

// publish publishes messages that are leased to this replica, and returns the ids of those whose rows are to be removed. It
// postpones or gives back the rows of the others.
func (r *Relay) publish(ctx context.Context, batch []bus.Message) (sent []string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWithin)
	defer cancel()
	var left []string
	var refused []refusal
	var away error
	spans := send(ctx, batch)
	fates := r.publisher.Publish(ctx, batch)
	spans.finish(fates)
	failpoint.At("outbox.confirmed")
	for i, err := range fates {
		switch {
		case err == nil:
			sent = append(sent, batch[i].ID)
		case errors.Is(err, bus.ErrUnavailable):
			away, left = err, append(left, batch[i].ID) // as if it had not been tried
		default:
			refused = append(refused, refusal{batch[i].ID, err})
		}
	}
	if errors.Is(away, bus.ErrSuspect) { // one of these messages caused it, and it is not known which one
		r.careful.Store(int64(len(left)))
	}
	r.outbox.shutter(away != nil)
	if len(refused) > 0 { // usual for a moment when the system starts for the first time
		r.log.WarnContext(ctx, "messages were refused and stay in the outbox", "messages", len(refused), "message_id", refused[0].id, "error", refused[0].cause)
	}
	return sent, errors.Join(r.postpone(ctx, left, refused), away)
}

// refusal is a message that the broker does not take.
type refusal struct {
	id    string
	cause error
}

// claim leases rows that are due. The array is made once: rows of a subquery might be read again for each row of the table, and
// then more of them be leased than the limit says.
func (r *Relay) claim(ctx context.Context, limit int) ([]bus.Message, error) {
	batch, err := postgres.Planned(ctx, r.db, func(row pgx.CollectableRow) (bus.Message, error) {
		m := bus.Message{Source: r.outbox.source}
		err := row.Scan(&m.ID, &m.Exchange, &m.Mandatory, &m.Kind, &m.Subject, &m.CausationID, &m.TraceParent, &m.TraceState, &m.Time, &m.Body)
		return m, err
	}, `
		UPDATE outbox
		SET due_at = now() + $2::interval
		WHERE id = ANY (ARRAY(
			SELECT id
			FROM outbox
			WHERE due_at <= now()
			ORDER BY due_at, id
			LIMIT $1
			FOR UPDATE SKIP LOCKED))
		RETURNING id, exchange, mandatory, kind, subject, causation_id, trace_parent, trace_state, created_at, body`, limit, lease)
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	slices.SortFunc(batch, func(a, b bus.Message) int { return strings.Compare(a.ID, b.ID) }) // in the order in which they were made
	return batch, nil
}

// remove removes the rows of published messages. It does not wait until that is on disk: if rows come back after a crash of
// the server, their messages are published again, and handled once.
func (r *Relay) remove(ctx context.Context, sent []string) error {
	if len(sent) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flushWithin)
	defer cancel()
	_, err := r.db.Exec(ctx, `
		WITH quick AS (SELECT set_config('synchronous_commit', 'off', true))
		DELETE FROM outbox
		USING quick
		WHERE id = ANY($1::uuid[])`, sent)
	if err != nil {
		return fmt.Errorf("outbox: remove what is published: %w", err)
	}
	failpoint.At("outbox.removed")
	return nil
}

// postpone gives back rows that were not tried. A message that was refused waits twice as long as before, so that it is not
// in the way of others if no queue ever takes it.
func (r *Relay) postpone(ctx context.Context, left []string, refused []refusal) error {
	if len(left) == 0 && len(refused) == 0 {
		return nil
	}
	err := r.db.Tx(ctx, func(tx *postgres.Tx) error {
		tx.Queue(`
			UPDATE outbox
			SET due_at = now()
			WHERE id = ANY($1::uuid[])`, left)
		for _, f := range refused {
			tx.Queue(`
				UPDATE outbox
				SET attempts = attempts + 1,
					last_error = $2,
					due_at = now() + least($3::interval * power(2, least(attempts, 20)), $4::interval)
				WHERE id = $1`, f.id, strings.ReplaceAll(strings.ToValidUTF8(f.cause.Error(), "\uFFFD"), "\x00", "\uFFFD"), retryFirst, retryMax)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("outbox: give back what is not published: %w", err)
	}
	return nil
}
