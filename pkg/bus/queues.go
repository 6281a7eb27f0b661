package bus

import (
	"context"

	"example.com/orderflow/pkg/fault"
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
	s, err := b.open(ctx, "operator")
	if err != nil {
		return nil, fault.New(fault.Unavailable, "RabbitMQ cannot be asked now").Because(err)
	}
	defer s.close()
	defer context.AfterFunc(ctx, s.close)() // declaring takes no context
	states := make([]QueueState, len(names))
	for i, name := range names {
		states[i].Name = name
		ch, err := s.conn.Channel() // one for each: the broker closes it when the queue is missing
		if err != nil {
			return nil, fault.New(fault.Unavailable, "RabbitMQ cannot be asked now").Because(err)
		}
		q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		if err != nil {
			states[i].Missing = true
			continue
		}
		states[i].Ready, states[i].Consumers = q.Messages, q.Consumers
		_ = ch.Close() // the session ends in a moment anyway
	}
	if s.conn.IsClosed() { // then the queues may not be missing at all
		return nil, fault.New(fault.Unavailable, "RabbitMQ cannot be asked now")
	}
	return states, nil
}
