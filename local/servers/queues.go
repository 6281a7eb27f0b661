package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// QueueDepth is how many messages are in a queue, those included that a consumer has and has not acknowledged. RabbitMQ
// counts them every five seconds, so it is right for a queue that is at rest and a little old for one that is not.
type QueueDepth struct {
	Name     string `json:"name"`
	Messages int    `json:"messages"`
}

// QueuedMessage is a message that was looked at in its queue. Its body is cut off after some thousands of bytes.
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

// Alarm is a resource that a node is short of. Until there is enough again, it takes no message from anybody.
type Alarm struct {
	Memory bool `json:"mem_alarm"`
	Disk   bool `json:"disk_free_alarm"`
}

// Alarms says what the broker's nodes are short of.
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

// Peek looks at up to limit messages of a queue, the first in it first. They are taken and given back, which counts as a
// delivery of each: it is for queues that have no limit of deliveries.
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

// Replicas are the nodes that a quorum queue is on. Of those that are online, one leads.
type Replicas struct {
	Leader  string   `json:"leader"`
	Members []string `json:"members"`
	Online  []string `json:"online"`
}

// Replicas says where a quorum queue is, as far as the node knows that is asked.
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

// Dispensable returns an error while some queue would be without a majority if the node that is asked stopped.
func (b Broker) Dispensable(ctx context.Context) error {
	return b.call(ctx, http.MethodGet, nil, "health", "checks", "node-is-quorum-critical")
}
