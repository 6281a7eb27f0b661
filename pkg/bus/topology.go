package bus

import (
	"fmt"
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Queue describes one of a service's two queues, with its retry queues and its dead-letter queue.
type Queue struct {
	Service  string          // its owner
	Exchange string          // Commands or Events
	Kinds    []string        // the kinds it is bound to
	Retries  []time.Duration // the delays of its retry queues, rising
}

// DefaultRetries are the delays before the second, third, … attempt; the last one repeats. With half of each as jitter
// and eight attempts, a message that keeps failing is given up after about three to seven minutes.
var DefaultRetries = []time.Duration{500 * time.Millisecond, 2 * time.Second, 8 * time.Second, 30 * time.Second, 2 * time.Minute}

// MaxAttempts is how often a message is tried before it is dead-lettered.
const MaxAttempts = 8

const (
	maxLength = 1_000_000 // messages a queue takes before it refuses more, which then wait in the sender's outbox
	// deliveryLimit is how many deliveries of a message may end with the consumer's connection before the broker itself
	// dead-letters the message: it may be what kills its consumers. The default of RabbitMQ 4 is 20. It is higher here,
	// because connections also end for other reasons.
	deliveryLimit = 50
	// deadDeliveryLimit is so high because each look at a dead letter counts as a delivery. It must never be given up for
	// that.
	deadDeliveryLimit = 1_000_000_000
)

// Name returns "<service>.commands" or "<service>.events".
func (q Queue) Name() string {
	if q.Exchange == Commands {
		return q.Service + ".commands"
	}
	return q.Service + ".events"
}

// Dead returns the name of the queue's dead-letter queue.
func (q Queue) Dead() string { return q.Name() + ".dead" }

// Around returns the names of the queue, its dead-letter queue, and the retry queues that every queue of a service has.
func (q Queue) Around() []string {
	names := []string{q.Name(), q.Dead()}
	for _, d := range DefaultRetries {
		names = append(names, q.retry(d))
	}
	return names
}

func (q Queue) retry(d time.Duration) string { return fmt.Sprintf("%s.retry.%s", q.Name(), d) }

// redelivery returns the name of the service's own direct exchange, to which each of its queues is bound under its own
// name. Retries and dead letters go through it and not through the default exchange: an account that may write to that one
// can reach every queue.
func redelivery(service string) string { return service + ".redelivery" }

// declare makes the queue and binds it to its kinds: a consumer needs both. Declaring what exists is a no-op.
// Declaring it differently is an error that closes the channel, so two releases that disagree are noticed.
func (q Queue) declare(ch *amqp.Channel) error {
	if err := declareExchanges(ch); err != nil {
		return err
	}
	if err := declareQueue(ch, q.Name(), deadLetteredTo(redelivery(q.Service), q.Dead(), amqp.Table{"x-delivery-limit": deliveryLimit})); err != nil {
		return err
	}
	for _, kind := range q.Kinds {
		if err := ch.QueueBind(q.Name(), kind, q.Exchange, false, nil); err != nil {
			return fmt.Errorf("bind %s to %s: %w", q.Name(), kind, err)
		}
	}
	return nil
}

// declaration makes something in the broker. When it fails, the broker has closed the channel.
type declaration func(*amqp.Channel) error

// ways returns the declarations for messages that fail: the way back, the dead-letter queue, the retry queues. Each is
// declared separately. If one cannot be, because a queue of that name was made by hand with other arguments, only messages
// that have to go there are stopped. Such a queue is not bound: it is not known what it would do with them.
func (q Queue) ways() []declaration {
	own := redelivery(q.Service)
	ways := []declaration{q.declareDead, q.bindBack}
	for _, d := range q.Retries {
		args := deadLetteredTo(own, q.Name(), amqp.Table{"x-message-ttl": d.Milliseconds()})
		ways = append(ways, func(ch *amqp.Channel) error { return declareWay(ch, own, q.retry(d), args) })
	}
	return ways
}

func (q Queue) bindBack(ch *amqp.Channel) error { return bindTo(ch, redelivery(q.Service), q.Name()) }

func (q Queue) declareDead(ch *amqp.Channel) error {
	return declareWay(ch, redelivery(q.Service), q.Dead(), amqp.Table{"x-delivery-limit": deadDeliveryLimit})
}

func declareExchanges(ch *amqp.Channel) error {
	if err := ch.ExchangeDeclare(Events, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return fmt.Errorf("declare exchange %s: %w", Events, err)
	}
	if err := ch.ExchangeDeclare(Commands, amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
		return fmt.Errorf("declare exchange %s: %w", Commands, err)
	}
	return nil
}

// declareQueue makes a quorum queue that refuses what it cannot hold.
func declareQueue(ch *amqp.Channel, name string, args amqp.Table) error {
	args = maps.Clone(args)
	args["x-queue-type"] = "quorum"
	args["x-overflow"] = "reject-publish"
	args["x-max-length"] = maxLength
	if _, err := ch.QueueDeclare(name, true, false, false, false, args); err != nil {
		return fmt.Errorf("declare queue %s: %w", name, err)
	}
	return nil
}

// declareWay makes a queue and binds it.
func declareWay(ch *amqp.Channel, own, name string, args amqp.Table) error {
	if err := declareQueue(ch, name, args); err != nil {
		return err
	}
	return bindTo(ch, own, name)
}

// bindTo binds a queue under its own name to a service's own exchange, which it makes.
func bindTo(ch *amqp.Channel, own, name string) error {
	if err := ch.ExchangeDeclare(own, amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
		return fmt.Errorf("declare exchange %s: %w", own, err)
	}
	if err := ch.QueueBind(name, name, own, false, nil); err != nil {
		return fmt.Errorf("bind queue %s: %w", name, err)
	}
	return nil
}

// deadLetteredTo adds the arguments by which the broker moves messages that expire or exceed their deliveries, and keeps
// each one until the move is confirmed.
func deadLetteredTo(exchange, queue string, args amqp.Table) amqp.Table {
	args["x-dead-letter-exchange"] = exchange
	args["x-dead-letter-routing-key"] = queue
	args["x-dead-letter-strategy"] = "at-least-once"
	return args
}
