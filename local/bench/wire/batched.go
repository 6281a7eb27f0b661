package wire

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	batchMost  = 256
	prefetch   = 2 * batchMost
	intakeMost = 4096
)

// intake is an order that a caller wants to place.
type intake struct {
	order     uuid.UUID
	committed chan struct{} // closed when the order is committed
}

// startBatched runs a service in four loops: one handles deliveries, one publishes committed messages, one waits for
// confirms, one removes confirmed messages from the outbox. They wait for each other only through channels.
func (w *Wire) startBatched(ctx context.Context, s *service) error {
	ch, err := s.conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel to consume: %w", err)
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return fmt.Errorf("prefetch: %w", err)
	}
	deliveries, err := ch.Consume(queueOf+s.name, "", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	out, err := openPublishing(s.sender)
	if err != nil {
		return err
	}
	sent := make(chan flight, 2*prefetch)
	w.work(ctx, s.name+" handles", func(ctx context.Context) error { return w.handleBatches(ctx, s, ch, buffered(deliveries)) })
	w.work(ctx, s.name+" publishes", func(ctx context.Context) error { return s.publishFresh(ctx, out, sent) })
	w.work(ctx, s.name+" waits for confirms", func(ctx context.Context) error { return s.collectConfirms(ctx, out, sent) })
	w.work(ctx, s.name+" clears its outbox", s.clear)
	if s.name == "orders" {
		w.work(ctx, "orders takes orders", func(ctx context.Context) error { return w.takeOrders(ctx, s) })
	}
	return nil
}

// buffered puts a buffered channel behind the library's, which has no buffer: without it, each batch would be a single message.
func buffered(in <-chan amqp.Delivery) <-chan amqp.Delivery {
	out := make(chan amqp.Delivery, prefetch)
	go func() {
		defer close(out)
		for d := range in {
			out <- d
		}
	}()
	return out
}

// gather waits for the first element and takes all others that are ready, up to batchMost.
func gather[T any](ctx context.Context, in <-chan T) (batch []T, open bool) {
	select {
	case <-ctx.Done():
		return nil, false
	case first, ok := <-in:
		if !ok {
			return nil, false
		}
		batch = append(batch, first)
	}
	for len(batch) < batchMost {
		select {
		case another, ok := <-in:
			if !ok {
				return batch, true // the next call notices the end
			}
			batch = append(batch, another)
		default:
			return batch, true
		}
	}
	return batch, true
}

// handleBatches handles each batch in a transaction, and acknowledges it with one frame.
func (w *Wire) handleBatches(ctx context.Context, s *service, ch *amqp.Channel, deliveries <-chan amqp.Delivery) error {
	for {
		batch, open := gather(ctx, deliveries)
		if !open {
			return errStopped
		}
		received := make([]message, 0, len(batch))
		for _, d := range batch {
			m, err := read(d)
			if err != nil {
				return err
			}
			received = append(received, m)
		}
		fresh, ended, err := s.handle(ctx, distinct(received))
		if err != nil {
			return err
		}
		w.handled.Add(int64(len(fresh) + len(ended)))
		if len(fresh) > 0 {
			select {
			case s.fresh <- fresh:
			case <-ctx.Done():
				return nil
			}
		}
		if err := ch.Ack(batch[len(batch)-1].DeliveryTag, true); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
		for _, m := range ended {
			w.end(m.order)
		}
	}
}

// handle is the transaction of a batch, which is one statement. It returns the messages that are now in the outbox, and the
// received messages that were the last of their orders.
func (s *service) handle(ctx context.Context, received []message) (fresh, ended []message, err error) {
	var ids, orders, causes, nextIDs, subjects []uuid.UUID
	var at []int32
	var kinds, bodies []string
	answers := map[uuid.UUID]message{} // by the message that they answer
	for _, m := range received {
		ids, orders, at = append(ids, m.id), append(orders, m.order), append(at, int32(m.hop))
		n, more, err := m.next()
		if err != nil {
			return nil, nil, err
		}
		if !more {
			continue
		}
		answers[m.id] = n
		nextIDs, causes, subjects = append(nextIDs, n.id), append(causes, m.id), append(subjects, n.order)
		kinds, bodies = append(kinds, n.kind()), append(bodies, string(n.body))
	}
	rows, err := s.db.Query(ctx, `
		WITH new AS (
			INSERT INTO inbox (id)
			SELECT unnest($1::uuid[])
			ON CONFLICT DO NOTHING
			RETURNING id
		), written AS (
			INSERT INTO state (order_id, hop)
			SELECT m.order_id, max(m.hop)
			FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) AS m (id, order_id, hop)
			JOIN new USING (id)
			GROUP BY m.order_id
			ON CONFLICT (order_id) DO UPDATE
			SET hop = excluded.hop, updated_at = now()
		), sent AS (
			INSERT INTO outbox (id, kind, subject, body)
			SELECT m.id, m.kind, m.subject, m.body
			FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::uuid[], $8::json[]) AS m (id, cause, kind, subject, body)
			JOIN new ON new.id = m.cause
		)
		SELECT id FROM new`, ids, orders, at, nextIDs, causes, kinds, subjects, bodies)
	if err != nil {
		return nil, nil, fmt.Errorf("handle a batch: %w", err)
	}
	new, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, nil, fmt.Errorf("handle a batch: %w", err)
	}
	byID := make(map[uuid.UUID]message, len(received))
	for _, m := range received {
		byID[m.id] = m
	}
	for _, id := range new {
		if n, more := answers[id]; more {
			fresh = append(fresh, n)
		} else {
			ended = append(ended, byID[id])
		}
	}
	return fresh, ended, nil
}

// flight is a message that is published and not yet confirmed.
type flight struct {
	id      uuid.UUID
	confirm *amqp.DeferredConfirmation
}

// publishFresh publishes committed messages from memory. The rows in the outbox are for a program that starts after a crash,
// which would have to read them.
func (s *service) publishFresh(ctx context.Context, out publishing, sent chan<- flight) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case batch := <-s.fresh:
			for _, m := range batch {
				confirm, err := out.send(ctx, m)
				if err != nil {
					return fmt.Errorf("publish: %w", err)
				}
				select {
				case sent <- flight{m.id, confirm}:
				case <-ctx.Done():
					return nil
				}
			}
		}
	}
}

func (s *service) collectConfirms(ctx context.Context, out publishing, sent <-chan flight) error {
	for {
		batch, open := gather(ctx, sent)
		if !open {
			return nil
		}
		ids := make([]uuid.UUID, len(batch))
		for i, f := range batch {
			if err := out.confirmed(ctx, f.confirm); err != nil {
				return err
			}
			ids[i] = f.id
		}
		select {
		case s.gone <- ids:
		case <-ctx.Done():
			return nil
		}
	}
}

// clearEvery is how long confirmed messages stay in the outbox, so that many rows are removed at once.
const clearEvery = 20 * time.Millisecond

// clear removes confirmed messages. Its commits do not wait for the disk: after a crash some rows may be back, their messages
// would be published again, and the receivers' inboxes would drop them.
func (s *service) clear(ctx context.Context) error {
	conn, err := s.db.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connection to clear the outbox: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SET synchronous_commit = off`); err != nil {
		return fmt.Errorf("clear the outbox: %w", err)
	}
	for {
		batches, open := gather(ctx, s.gone)
		if !open {
			return nil
		}
		_, err := conn.Exec(ctx, `
			DELETE FROM outbox
			WHERE id = ANY($1::uuid[])`, slices.Concat(batches...))
		if err != nil {
			return fmt.Errorf("clear the outbox: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(clearEvery):
		}
	}
}

// takeOrders places all waiting orders in one transaction.
func (w *Wire) takeOrders(ctx context.Context, s *service) error {
	for {
		batch, open := gather(ctx, s.intake)
		if !open {
			return nil
		}
		first := make([]message, len(batch))
		var ids, subjects []uuid.UUID
		var kinds, bodies []string
		for i, o := range batch {
			m, err := compose(o.order, 0, uuid.Nil)
			if err != nil {
				return err
			}
			first[i] = m
			ids, subjects, kinds, bodies = append(ids, m.id), append(subjects, o.order), append(kinds, m.kind()), append(bodies, string(m.body))
		}
		_, err := s.db.Exec(ctx, `
			WITH placed AS (
				INSERT INTO state (order_id, hop)
				SELECT unnest($2::uuid[]), -1
			)
			INSERT INTO outbox (id, subject, kind, body)
			SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::json[])`, ids, subjects, kinds, bodies)
		if err != nil {
			return fmt.Errorf("place orders: %w", err)
		}
		for _, o := range batch {
			close(o.committed)
		}
		select {
		case s.fresh <- first:
		case <-ctx.Done():
			return nil
		}
	}
}
