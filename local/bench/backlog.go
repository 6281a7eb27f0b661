package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	stopped      = "inventory"
	stoppedQueue = "inventory.commands"
	queuedWithin = time.Minute // until the command of the first order is in the queue
)

// patient lets orders wait for a stopped service for hours, without sending commands again.
var patient = map[string][]string{"orders": {"STEP_TIMEOUT=6h", "LONGEST_TIMEOUT=24h"}}

// backlog stops inventory, lets the given number of commands collect in its queue, starts it again, and measures how long it
// takes to process them. Each command belongs to an order of its own for a sold-out product: a copy of an order that a
// customer placed, and of its command, with another id. So an order takes two messages until it ends.
func (r *rig) backlog(ctx context.Context, row *Row, messages int) error {
	for _, p := range r.Named(stopped) {
		if err := p.Stop(); err != nil {
			return err
		}
	}
	id, err := r.shopper.place(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := r.pileUp(ctx, id, messages); err != nil {
		return err
	}
	r.tell("%d messages wait for %s after %.0f s", messages, stopped, time.Since(began).Seconds())

	drain, cancel := context.WithCancel(ctx)
	defer cancel()
	peaks := make(chan map[string]float64, 1)
	go func() { peaks <- r.sample(drain) }()
	before := measure(r.members())
	began = time.Now()
	for _, p := range r.Named(stopped) {
		if err := p.Start(ctx); err != nil {
			return err
		}
	}
	b := Backlog{Service: stopped, Messages: messages + 1}
	if b.Drained, err = r.drained(ctx, began); err != nil {
		return err
	}
	if _, err := rest(ctx, r.orders, endWithin); err != nil {
		return err
	}
	b.Rest = time.Since(began)
	cancel()
	row.Peak = <-peaks
	row.CPU, row.Others = measure(r.members()).since(before, b.Messages)
	row.Memory = memory(r.members())
	row.Orders, row.Rate, row.Window = b.Messages, float64(b.Messages)/b.Rest.Seconds(), b.Rest
	row.Backlog = &b
	r.tell("its queue is empty after %.0f s, all orders are at their end after %.0f s", b.Drained.Seconds(), b.Rest.Seconds())
	return nil
}

// sample reads each program's memory every second, and returns the largest value of each.
func (r *rig) sample(ctx context.Context) (peak map[string]float64) {
	for {
		peak = largest(peak, memory(r.members()))
		if pause(ctx, time.Second) != nil {
			return peak
		}
	}
}

// drained waits until the queue is empty. It asks the queue itself, because the management API is seconds late.
func (r *rig) drained(ctx context.Context, began time.Time) (time.Duration, error) {
	conn, ch, err := openChannel(r.Broker.URL)
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // nothing is lost with it
	for {
		q, err := ch.QueueDeclarePassive(stoppedQueue, true, false, false, false, nil)
		if err != nil {
			return 0, fmt.Errorf("look at %s: %w", stoppedQueue, err)
		}
		if q.Messages == 0 {
			return time.Since(began), nil
		}
		if time.Since(began) > endWithin {
			return 0, fmt.Errorf("%d messages are still in %s after %s", q.Messages, stoppedQueue, endWithin)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// pileUp makes the given number of copies of an order whose command waits in the queue, and of the command.
func (r *rig) pileUp(ctx context.Context, id string, copies int) error {
	conn, ch, err := openChannel(r.Broker.URL)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is lost with it
	template, err := firstIn(ctx, ch)
	if err != nil {
		return err
	}
	if !strings.Contains(string(template.Body), id) {
		return fmt.Errorf("%s has another message than that of order %s", stoppedQueue, id)
	}
	if err := r.copyPlaced(ctx, id, copies); err != nil {
		return err
	}
	rows, err := r.orders.Query(ctx, `SELECT id::text FROM orders WHERE id BETWEEN $1 AND $2`, pastMin, pastMax)
	if err != nil {
		return fmt.Errorf("read the copies: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("read the copies: %w", err)
	}
	if len(ids) != copies {
		return fmt.Errorf("there are %d copies of an order, want %d", len(ids), copies)
	}
	return publishCopies(ctx, ch, template, id, ids)
}

// copyPlaced copies the rows about an order in the database of orders.
func (r *rig) copyPlaced(ctx context.Context, id string, copies int) error {
	return r.relaxed(ctx, func() error { return r.copyOne(ctx, "orders", id, copies, 0) })
}

func openChannel(address string) (*amqp.Connection, *amqp.Channel, error) {
	conn, err := amqp.Dial(address)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	ch, err := conn.Channel()
	if err != nil {
		_ = conn.Close() // no statement is under way
		return nil, nil, fmt.Errorf("open a channel: %w", err)
	}
	return conn, ch, nil
}

// firstIn takes the first message of the queue and returns it to the queue.
func firstIn(ctx context.Context, ch *amqp.Channel) (amqp.Delivery, error) {
	for deadline := time.Now().Add(queuedWithin); time.Now().Before(deadline); {
		d, ok, err := ch.Get(stoppedQueue, false)
		if err != nil {
			return d, fmt.Errorf("read a message of %s: %w", stoppedQueue, err)
		}
		if ok {
			if err := d.Nack(false, true); err != nil {
				return d, fmt.Errorf("give a message of %s back: %w", stoppedQueue, err)
			}
			return d, nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return d, err
		}
	}
	return amqp.Delivery{}, fmt.Errorf("no message has come to %s within %s", stoppedQueue, queuedWithin)
}

// inFlight is how many copies may be published and not yet confirmed.
const inFlight = 500

// publishCopies publishes one copy of a message for each order, with the order's id in place of the original's.
func publishCopies(ctx context.Context, ch *amqp.Channel, template amqp.Delivery, id string, orders []string) error {
	if err := ch.Confirm(false); err != nil {
		return fmt.Errorf("confirm mode: %w", err)
	}
	confirm := func(c *amqp.DeferredConfirmation) error {
		ok, err := c.WaitContext(ctx)
		if err == nil && !ok {
			err = errors.New("RabbitMQ has refused it")
		}
		if err != nil {
			return fmt.Errorf("fill %s: %w", stoppedQueue, err)
		}
		return nil
	}
	var waiting []*amqp.DeferredConfirmation
	for _, order := range orders {
		message, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("message id: %w", err)
		}
		c, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", stoppedQueue, true, false, amqp.Publishing{
			MessageId: message.String(), CorrelationId: order, Type: template.Type, AppId: template.AppId,
			ContentType: template.ContentType, Timestamp: time.Now(), DeliveryMode: amqp.Persistent,
			Headers: headersWith(template.Headers, strings.NewReplacer(id, order, template.MessageId, message.String())),
			Body:    []byte(strings.ReplaceAll(string(template.Body), id, order)),
		})
		if err != nil {
			return fmt.Errorf("fill %s: %w", stoppedQueue, err)
		}
		if waiting = append(waiting, c); len(waiting) >= inFlight {
			if err := confirm(waiting[0]); err != nil {
				return err
			}
			waiting = waiting[1:]
		}
	}
	for _, c := range waiting {
		if err := confirm(c); err != nil {
			return err
		}
	}
	return nil
}

// headersWith copies headers and replaces texts in them. Headers that the broker added are left out.
func headersWith(headers amqp.Table, other *strings.Replacer) amqp.Table {
	copied := amqp.Table{}
	for name, value := range headers {
		text, ok := value.(string)
		switch {
		case strings.HasPrefix(name, "x-"):
		case ok:
			copied[name] = other.Replace(text)
		default:
			copied[name] = value
		}
	}
	return copied
}

// soldOut starts a system without stock of the product that is ordered.
func (b *bench) soldOut(ctx context.Context) (*rig, error) { return b.startRig(ctx, 1, 0, patient) }
