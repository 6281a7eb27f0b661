package bus

import (
	"context"

	"example.com/orderflow/pkg/fault"
	amqp "github.com/rabbitmq/amqp091-go"
)

// QueueState is how many messages wait in a queue, and how many consumers it has.
type QueueState struct {
	Name      string
	Ready     int // messages that no consumer has been given yet
	Consumers int
	Missing   bool // there is no such queue
}

// Queues returns the state of the named queues, over one connection. It needs no permission on them.
func (b *Broker) Queues(ctx context.Context, names ...string) ([]QueueState, error) {
	i := b.NewInspector()
	defer i.Close()
	return i.Queues(ctx, names...)
}

// Inspector returns the state of queues again and again, over one connection that it opens when it needs it. It is used by
// one goroutine.
type Inspector struct {
	broker *Broker
	s      *session // nil: not connected
}

// NewInspector returns an inspector, which must be closed.
func (b *Broker) NewInspector() *Inspector { return &Inspector{broker: b} }

// Close ends the connection. The inspector can still be used, and then opens another one.
func (i *Inspector) Close() {
	if i.s != nil {
		i.s.close()
		i.s = nil
	}
}

// Queues returns the state of the named queues. After an error the next call connects again.
func (i *Inspector) Queues(ctx context.Context, names ...string) ([]QueueState, error) {
	states, err := i.ask(ctx, names)
	if err != nil {
		i.Close()
		return nil, fault.New(fault.Unavailable, "RabbitMQ cannot be asked now").Because(err)
	}
	return states, nil
}

func (i *Inspector) ask(ctx context.Context, names []string) (_ []QueueState, err error) {
	if i.s == nil {
		if i.s, err = i.broker.open(ctx, "operator"); err != nil {
			return nil, err
		}
	}
	defer context.AfterFunc(ctx, i.s.close)() // declaring takes no context
	states, ch := make([]QueueState, len(names)), i.s.ch
	for n, name := range names {
		states[n].Name = name
		if ch.IsClosed() { // the broker closes it when a queue is missing
			if ch, err = i.s.conn.Channel(); err != nil {
				return nil, err
			}
		}
		q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		if i.s.conn.IsClosed() { // then the queue may not be missing at all
			return nil, amqp.ErrClosed
		}
		states[n].Ready, states[n].Consumers, states[n].Missing = q.Messages, q.Consumers, err != nil
	}
	i.s.ch = ch
	return states, nil
}
