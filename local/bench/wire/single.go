package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	singleWorkers = 8 // for each queue, for each outbox, and for new orders
	pollEvery     = 100 * time.Millisecond
)

// startSingle runs a service's workers, each with a channel of its own.
func (w *Wire) startSingle(ctx context.Context, s *service) error {
	for range singleWorkers {
		ch, err := s.conn.Channel()
		if err != nil {
			return fmt.Errorf("open a channel to consume: %w", err)
		}
		if err := ch.Qos(1, 0, false); err != nil {
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
		w.work(ctx, s.name+" handles", func(ctx context.Context) error { return w.handleEach(ctx, s, deliveries) })
		w.work(ctx, s.name+" publishes", func(ctx context.Context) error { return s.relay(ctx, out) })
		if s.name == "orders" {
			w.work(ctx, "orders takes orders", func(ctx context.Context) error { return s.takeEach(ctx) })
		}
	}
	return nil
}

// handleEach makes a transaction of each message.
func (w *Wire) handleEach(ctx context.Context, s *service, deliveries <-chan amqp.Delivery) error {
	for d := range deliveries {
		m, err := read(d)
		if err != nil {
			return err
		}
		again := false
		err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
			entered, err := tx.Exec(ctx, `INSERT INTO inbox (id) VALUES ($1) ON CONFLICT DO NOTHING`, m.id)
			if again = err == nil && entered.RowsAffected() == 0; err != nil || again {
				return err
			}
			_, err = tx.Exec(ctx, `
				INSERT INTO state (order_id, hop)
				VALUES ($1, $2)
				ON CONFLICT (order_id) DO UPDATE
				SET hop = excluded.hop, updated_at = now()`, m.order, m.hop)
			if err != nil {
				return err
			}
			n, more, err := m.next()
			if err != nil || !more {
				return err
			}
			return store(ctx, tx, n)
		})
		if err != nil {
			return fmt.Errorf("handle a message: %w", err)
		}
		s.rouse()
		if err := d.Ack(false); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
		if again {
			continue
		}
		w.handled.Add(1)
		if m.hop == len(hops)-1 {
			w.end(m.order)
		}
	}
	return errStopped
}

func store(ctx context.Context, tx pgx.Tx, m message) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO outbox (id, kind, subject, body)
		VALUES ($1, $2, $3, $4)`, m.id, m.kind(), m.order, string(m.body))
	return err
}

// rouse wakes one relay, because there is something in the outbox.
func (s *service) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // all of them have been woken
	}
}

// relay publishes one row after another, each in the transaction that locks and removes it.
func (s *service) relay(ctx context.Context, out publishing) error {
	for {
		found := true
		err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
			var m message
			var kind, text string
			err := tx.QueryRow(ctx, `
				SELECT id, kind, subject, body::text
				FROM outbox
				ORDER BY id
				LIMIT 1
				FOR UPDATE SKIP LOCKED`).Scan(&m.id, &kind, &m.order, &text)
			if errors.Is(err, pgx.ErrNoRows) {
				found = false
				return nil
			}
			if err != nil {
				return err
			}
			m.hop, m.body = hopOf(kind), []byte(text)
			confirm, err := out.send(ctx, m)
			if err != nil {
				return err
			}
			if err := out.confirmed(ctx, confirm); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `DELETE FROM outbox WHERE id = $1`, m.id)
			return err
		})
		if err != nil {
			return fmt.Errorf("publish a message: %w", err)
		}
		if found {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-time.After(pollEvery):
		}
	}
}

func hopOf(kind string) int {
	for i, h := range hops {
		if h.kind == kind {
			return i
		}
	}
	return -1
}

// takeEach places one order after another, each in a transaction.
func (s *service) takeEach(ctx context.Context) error {
	for {
		var o intake
		select {
		case <-ctx.Done():
			return nil
		case o = <-s.intake:
		}
		m, err := compose(o.order, 0, uuid.Nil)
		if err != nil {
			return err
		}
		err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO state (order_id, hop) VALUES ($1, -1)`, o.order); err != nil {
				return err
			}
			return store(ctx, tx, m)
		})
		if err != nil {
			return fmt.Errorf("place an order: %w", err)
		}
		close(o.committed)
		s.rouse()
	}
}
