package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/local/system"
	amqp "github.com/rabbitmq/amqp091-go"
)

// dealtMost bounds how many messages are held at once.
const dealtMost = 500

// dealTwice stops the consumers of a queue, so that messages collect in it. The heal publishes each message twice, in random
// order, before the consumers start again.
func (t target) dealTwice(queue string) (heal, error) {
	owner, _, _ := strings.Cut(queue, ".")
	err := t.each(owner, (*system.Part).Stop)
	return func(ctx context.Context) error {
		dealt, err := t.shuffle(ctx, queue)
		if err == nil && dealt == 0 {
			err = errNothing
		}
		return cmp.Or(t.restart(owner)(ctx), err)
	}, err
}

// shuffle takes the messages of a queue, publishes each twice, and acknowledges the originals after the broker has confirmed
// both: it may die at any time without losing one.
func (t target) shuffle(ctx context.Context, queue string) (dealt int, err error) {
	conn, err := amqp.Dial(t.Broker.URL)
	if err != nil {
		return 0, err
	}
	defer conn.CloseDeadline(time.Now().Add(time.Second)) //nolint:errcheck // messages that are not acknowledged go back
	channel, err := conn.Channel()
	if err != nil {
		return 0, err
	}
	if err := channel.Confirm(false); err != nil {
		return 0, err
	}
	var taken []amqp.Delivery
	for len(taken) < dealtMost {
		message, ok, err := channel.Get(queue, false)
		if err != nil {
			return 0, fmt.Errorf("take from %s: %w", queue, err)
		}
		if !ok {
			break
		}
		taken = append(taken, message)
	}
	twice := slices.Concat(taken, taken)
	rand.Shuffle(len(twice), func(i, j int) { twice[i], twice[j] = twice[j], twice[i] })
	for _, message := range twice {
		if err := publish(ctx, channel, queue, message); err != nil {
			return 0, fmt.Errorf("put into %s: %w", queue, err)
		}
	}
	for _, message := range taken {
		if err := message.Ack(false); err != nil {
			return 0, err
		}
	}
	return len(taken), nil
}

func publish(ctx context.Context, channel *amqp.Channel, queue string, m amqp.Delivery) error {
	confirm, err := channel.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{
		Headers: m.Headers, ContentType: m.ContentType, ContentEncoding: m.ContentEncoding, DeliveryMode: m.DeliveryMode,
		Priority: m.Priority, CorrelationId: m.CorrelationId, ReplyTo: m.ReplyTo, Expiration: m.Expiration,
		MessageId: m.MessageId, Timestamp: m.Timestamp, Type: m.Type, AppId: m.AppId, Body: m.Body,
	})
	if err != nil {
		return err
	}
	if ok, err := confirm.WaitContext(ctx); err != nil || !ok {
		return errors.Join(fmt.Errorf("confirmed: %t", ok), err)
	}
	return nil
}
