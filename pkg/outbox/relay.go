package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/postgres"
	"github.com/jackc/pgx/v5"
)

const (
	pollEvery   = time.Second // finds what is due later, and what a replica left behind that committed and died
	retryFirst  = 250 * time.Millisecond
	retryMax    = 30 * time.Second // for one message that the broker refuses
	troubleMax  = 2 * time.Second  // between tries while the broker or the database is away
	flushWithin = 20 * time.Second // for one batch: confirms have 10
)

// Publisher publishes a batch and reports the fate of each message, as bus.Publisher does.
type Publisher interface {
	Publish(ctx context.Context, batch []bus.Message) []error
}

// Relay publishes the rows of an outbox. Any number of relays, in any number of replicas, share one outbox: each takes
// rows that no other has locked. The rows stay locked while they are published, in a transaction that waits for another
// system, which is forbidden elsewhere: here nobody else waits for the locks, the wait is bounded, and if the relay dies
// its rows are free at once (docs/adr/0003).
type Relay struct {
	db        *postgres.DB
	publisher Publisher
	source    string
	log       *slog.Logger
	wake      chan struct{}
}

// NewRelay returns a relay of the outbox in db that publishes in the name of source, and has it woken by each commit.
func NewRelay(db *postgres.DB, publisher Publisher, source string, log *slog.Logger) *Relay {
	r := &Relay{db: db, publisher: publisher, source: source, log: log, wake: make(chan struct{}, 1)}
	db.OnCommit(r.Wake)
	observe(db)
	return r
}

// Wake makes the relay look at once. It never waits.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// Run publishes until ctx ends, and then once more what the last handlers have left. No error ends it; it returns nil.
func (r *Relay) Run(ctx context.Context) error {
	trouble := time.Duration(0)
	for ctx.Err() == nil {
		switch n, err := r.Flush(ctx); {
		case err != nil:
			trouble = min(max(2*trouble, retryFirst), troubleMax)
			r.log.WarnContext(ctx, "outbox waits", "error", err, "again_in", trouble)
			r.sleep(ctx, trouble/2+rand.N(trouble/2), nil) // not woken: more rows do not make the broker come back
		case n == bus.MaxBatch: // there is more
			trouble = 0
		default:
			trouble = 0
			r.sleep(ctx, pollEvery, r.wake)
		}
	}
	for { // the handlers have stopped before us; what they sent should not wait for another replica
		if n, err := r.Flush(ctx); err != nil || n < bus.MaxBatch {
			return nil //nolint:nilerr // it stays in the outbox
		}
	}
}

// Flush publishes one batch of what is due and returns its size. The error is about the broker or the database as a
// whole; a message that the broker refuses stays with a later due time, and is no error here. A batch that was begun is
// finished although ctx has ended.
func (r *Relay) Flush(ctx context.Context) (n int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWithin)
	defer cancel()
	var away error
	err = pgx.BeginFunc(ctx, r.db.Pool, func(tx pgx.Tx) error {
		batch, err := due(ctx, tx, r.source)
		if err != nil || len(batch) == 0 {
			return err
		}
		failpoint.At("outbox.picked")
		n = len(batch)
		var sent, refused []string
		var why error
		fates := r.publisher.Publish(ctx, batch)
		failpoint.At("outbox.confirmed")
		for i, err := range fates {
			switch {
			case err == nil:
				sent = append(sent, batch[i].ID)
			case errors.Is(err, bus.ErrUnavailable):
				away = err // as if it had not been tried: it stays first in line
			default:
				refused, why = append(refused, batch[i].ID), err
				if err := postpone(ctx, tx, batch[i].ID, err); err != nil {
					return err
				}
			}
		}
		if len(refused) > 0 { // usual for a moment when everything starts for the first time
			r.log.WarnContext(ctx, "messages were refused and stay in the outbox", "messages", len(refused), "message_id", refused[0], "error", why)
		}
		err = remove(ctx, tx, sent)
		failpoint.At("outbox.removed")
		return err
	})
	if err == nil && n > 0 {
		failpoint.At("outbox.committed")
	}
	return n, errors.Join(err, away)
}

func (r *Relay) sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
	}
}

func due(ctx context.Context, tx pgx.Tx, source string) ([]bus.Message, error) {
	rows, err := tx.Query(ctx, `
		SELECT id, exchange, mandatory, kind, subject, causation_id, trace_parent, trace_state, created_at, body
		FROM outbox
		WHERE due_at <= now()
		ORDER BY due_at, id
		LIMIT $1
		FOR UPDATE SKIP LOCKED`, bus.MaxBatch)
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	batch, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (bus.Message, error) {
		m := bus.Message{Source: source}
		err := row.Scan(&m.ID, &m.Exchange, &m.Mandatory, &m.Kind, &m.Subject, &m.CausationID, &m.TraceParent, &m.TraceState, &m.Time, &m.Body)
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	return batch, nil
}

func remove(ctx context.Context, tx pgx.Tx, ids []string) error {
	_, err := tx.Exec(ctx, `
		DELETE FROM outbox
		WHERE id = ANY($1::uuid[])`, ids)
	if err != nil {
		return fmt.Errorf("outbox: remove what is published: %w", err)
	}
	return nil
}

// postpone lets a message wait twice as long as before, so that one that nobody takes is not in the way of the others.
func postpone(ctx context.Context, tx pgx.Tx, id string, cause error) error {
	_, err := tx.Exec(ctx, `
		UPDATE outbox
		SET attempts = attempts + 1,
			last_error = $2,
			due_at = now() + least($3::interval * power(2, least(attempts, 20)), $4::interval)
		WHERE id = $1`, id, strings.ReplaceAll(strings.ToValidUTF8(cause.Error(), "\uFFFD"), "\x00", "\uFFFD"), retryFirst, retryMax)
	if err != nil {
		return fmt.Errorf("outbox: postpone: %w", err)
	}
	return nil
}
