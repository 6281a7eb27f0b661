package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// QueueDepth is how many messages are in a queue, including those that a consumer has not acknowledged yet. RabbitMQ counts
// them every five seconds, so it is exact for a queue at rest and a little old otherwise.
type QueueDepth struct {
	Name     string `json:"name"`
	Messages int    `json:"messages"`
}

// QueuedMessage is a message as Peek returns it. Its body is cut off after some thousands of bytes.
type QueuedMessage struct {
	Body       string `json:"payload"`
	Properties struct {
		ID      string         `json:"message_id"`
		Kind    string         `json:"type"`
		Subject string         `json:"correlation_id"`
		Headers map[string]any `json:"headers"`
	} `json:"properties"`
	Behind int `json:"message_count"` // messages that were behind it
}

// Queues lists the queues of the vhost that the address is of.
func (b Broker) Queues(ctx context.Context) (queues []QueueDepth, err error) {
	vhost, err := b.Vhost()
	if err != nil {
		return nil, err
	}
	answer, err := b.ask(ctx, http.MethodGet, "?columns=name,messages", nil, "queues", vhost)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(answer, &queues); err != nil {
		return nil, fmt.Errorf("read the list of queues: %w", err)
	}
	return queues, nil
}

// Binding leads messages of an exchange that have a routing key into a queue. The key of a topic exchange may be a pattern.
type Binding struct {
	Exchange string `json:"source"`
	Queue    string `json:"destination"`
	Key      string `json:"routing_key"`
}

// Bindings lists the bindings of the vhost that the address is of, without those of the default exchange.
func (b Broker) Bindings(ctx context.Context) (all []Binding, err error) {
	vhost, err := b.Vhost()
	if err != nil {
		return nil, err
	}
	answer, err := b.ask(ctx, http.MethodGet, "?columns=source,destination,routing_key", nil, "bindings", vhost)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return nil, fmt.Errorf("read the bindings: %w", err)
	}
	return slices.DeleteFunc(all, func(b Binding) bool { return b.Exchange == "" }), nil
}

// Alarm is a resource that a node is short of. Until there is enough again, the node accepts no messages.
type Alarm struct {
	Memory bool `json:"mem_alarm"`
	Disk   bool `json:"disk_free_alarm"`
}

// Alarms returns the resources that the broker's nodes are short of.
func (b Broker) Alarms(ctx context.Context) (all Alarm, err error) {
	answer, err := b.ask(ctx, http.MethodGet, "?columns=mem_alarm,disk_free_alarm", nil, "nodes")
	if err != nil {
		return all, err
	}
	var nodes []Alarm
	if err := json.Unmarshal(answer, &nodes); err != nil {
		return all, fmt.Errorf("read the alarms: %w", err)
	}
	for _, node := range nodes {
		all.Memory, all.Disk = all.Memory || node.Memory, all.Disk || node.Disk
	}
	return all, nil
}

// Peek returns up to limit messages of a queue, the first in it first. They are taken and returned to the queue, which counts
// as a delivery of each: use it only for queues without a delivery limit.
func (b Broker) Peek(ctx context.Context, queue string, limit int) (messages []QueuedMessage, err error) {
	vhost, err := b.Vhost()
	if err != nil {
		return nil, err
	}
	answer, err := b.ask(ctx, http.MethodPost, "", map[string]any{
		"count": limit, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 4 << 10,
	}, "queues", vhost, queue, "get")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(answer, &messages); err != nil {
		return nil, fmt.Errorf("read messages of %s: %w", queue, err)
	}
	return messages, nil
}

// Publish puts a message into an exchange, as a program would, but with any content. It is an error if no queue takes it.
func (b Broker) Publish(ctx context.Context, exchange, key string, properties map[string]any, body string) error {
	vhost, err := b.Vhost()
	if err != nil {
		return err
	}
	answer, err := b.ask(ctx, http.MethodPost, "", map[string]any{
		"routing_key": key, "properties": properties, "payload": body, "payload_encoding": "string",
	}, "exchanges", vhost, exchange, "publish")
	if err != nil {
		return err
	}
	var taken struct {
		Routed bool `json:"routed"`
	}
	if err := json.Unmarshal(answer, &taken); err != nil {
		return fmt.Errorf("read whether %s was taken: %w", key, err)
	}
	if !taken.Routed {
		return fmt.Errorf("no queue takes %s", key)
	}
	return nil
}

// Replicas are the nodes that have a replica of a quorum queue. One of those online leads.
type Replicas struct {
	Leader  string   `json:"leader"`
	Members []string `json:"members"`
	Online  []string `json:"online"`
}

// Replicas returns where a quorum queue is, as the asked node knows it.
func (b Broker) Replicas(ctx context.Context, queue string) (where Replicas, err error) {
	vhost, err := b.Vhost()
	if err != nil {
		return where, err
	}
	answer, err := b.ask(ctx, http.MethodGet, "", nil, "queues", vhost, queue)
	if err != nil {
		return where, err
	}
	if err := json.Unmarshal(answer, &where); err != nil {
		return where, fmt.Errorf("read where %s is: %w", queue, err)
	}
	return where, nil
}

// Dispensable returns an error if a queue would lose its majority when the asked node stopped.
func (b Broker) Dispensable(ctx context.Context) error {
	return b.call(ctx, http.MethodGet, nil, "health", "checks", "node-is-quorum-critical")
}
