package testkit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/local/direct"
	amqp "github.com/rabbitmq/amqp091-go"
)

// channel returns the test's own channel, in confirm mode.
func (v *Vhost) channel() *amqp.Channel {
	v.t.Helper()
	if v.ch != nil && !v.ch.IsClosed() {
		return v.ch
	}
	conn, err := amqp.Dial(v.URL)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) })
	ch, err := conn.Channel()
	if err != nil {
		v.t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		v.t.Fatal(err)
	}
	v.ch, v.returns = ch, ch.NotifyReturn(make(chan amqp.Return, 10))
	return ch
}

// Put publishes a message to an exchange, once a queue takes it. Exchange "" and a queue's name put it into that queue.
func (v *Vhost) Put(exchange, key string, p amqp.Publishing) {
	v.t.Helper()
	Until(v.t, "a queue takes "+key, func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c, err := v.channel().PublishWithDeferredConfirmWithContext(ctx, exchange, key, true, false, p)
		if err != nil {
			v.t.Fatal(err)
		}
		if ok, err := c.WaitContext(ctx); err != nil || !ok {
			v.t.Fatalf("put on %q %q: confirmed %t, %v", exchange, key, ok, err)
		}
		select {
		case <-v.returns:
			return false
		default:
			return true
		}
	})
}

// Get takes a message from a queue; ok is false when there is none.
func (v *Vhost) Get(queue string) (d amqp.Delivery, ok bool) {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	d, ok, err := v.channel().Get(queue, true)
	if err != nil {
		v.t.Fatal(err)
	}
	return d, ok
}

// Depth returns the number of messages that are ready in a queue; -1 when there is no such queue.
func (v *Vhost) Depth(queue string) int {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	q, err := v.channel().QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		v.ch = nil // the broker has closed it
		return -1
	}
	return q.Messages
}

// Tap declares a queue of the test's own, which gets a copy of each message that has one of the keys.
func (v *Vhost) Tap(queue, exchange string, keys ...string) {
	v.t.Helper()
	v.tap(queue, exchange, amqp.Table{"x-queue-type": "quorum"}, keys)
}

// Full declares a queue of the test's own that takes one or two messages and then refuses.
func (v *Vhost) Full(queue, exchange string, keys ...string) {
	v.t.Helper()
	v.tap(queue, exchange, amqp.Table{"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"}, keys)
}

func (v *Vhost) tap(queue, exchange string, args amqp.Table, keys []string) {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	ch := v.channel()
	if _, err := ch.QueueDeclare(queue, true, false, false, false, args); err != nil {
		v.t.Fatal(err)
	}
	for _, key := range keys {
		if err := ch.QueueBind(queue, key, exchange, false, nil); err != nil {
			v.t.Fatal(err)
		}
	}
}

// CloseConnections makes the broker close the connections of this vhost whose name ends in part, as an operator would.
func (v *Vhost) CloseConnections(part string) {
	v.t.Helper()
	Until(v.t, "a connection of "+part+" is listed and closed", func() bool {
		names := v.Connections(part)
		for _, name := range names {
			v.manage(http.MethodDelete, "/api/connections/"+url.PathEscape(name), nil)
		}
		return len(names) > 0
	})
}

// Connections returns the names of the connections of this vhost whose client's name ends in part.
func (v *Vhost) Connections(part string) (names []string) {
	v.t.Helper()
	var connections []struct {
		Name   string `json:"name"`
		Client string `json:"user_provided_name"`
	}
	v.manage(http.MethodGet, "/api/vhosts/"+v.Name+"/connections", &connections)
	for _, c := range connections {
		if strings.HasSuffix(c.Client, part) {
			names = append(names, c.Name)
		}
	}
	return names
}

// Declared is an exchange or a queue as the broker has it.
type Declared struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Durable    bool   `json:"durable"`
	Exclusive  bool   `json:"exclusive"`
	AutoDelete bool   `json:"auto_delete"`
}

// Declared returns the "exchanges" or the "queues" of this vhost, without those that every vhost has.
func (v *Vhost) Declared(what string) (all []Declared) {
	v.t.Helper()
	v.manage(http.MethodGet, "/api/"+what+"/"+v.Name, &all)
	return slices.DeleteFunc(all, func(d Declared) bool { return d.Name == "" || strings.HasPrefix(d.Name, "amq.") })
}

// Remove deletes something, as an operator would: a queue ("queues", name), an exchange ("exchanges", name), a binding
// ("bindings", "e", exchange, "q", queue, key).
func (v *Vhost) Remove(kind string, path ...string) {
	v.t.Helper()
	var target strings.Builder
	target.WriteString("/api/" + kind + "/" + v.Name)
	for _, part := range path {
		target.WriteString("/" + url.PathEscape(part))
	}
	v.manage(http.MethodDelete, target.String(), nil)
}

// Limit limits the queues whose name ends in part to so many messages, whatever they were declared with; 0 ends the limit.
func (v *Vhost) Limit(part string, most int) {
	v.t.Helper()
	target := "/api/operator-policies/" + v.Name + "/limit"
	if most == 0 {
		v.manage(http.MethodDelete, target, nil)
		return
	}
	v.send(http.MethodPut, target, fmt.Sprintf(`{"pattern": "%s$", "definition": {"max-length": %d}, "apply-to": "queues"}`, part, most), nil)
}

// manage calls the management API.
func (v *Vhost) manage(method, path string, into any) {
	v.t.Helper()
	v.send(method, path, "", into)
}

func (v *Vhost) send(method, path, body string, into any) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, v.Management+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if user := r.URL.User; user != nil {
		password, _ := user.Password()
		r.SetBasicAuth(user.Username(), password)
	}
	response, err := direct.Client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // a test's
	if into == nil {
		if response.StatusCode >= http.StatusBadRequest {
			v.t.Fatalf("%s %s: %s", method, path, response.Status)
		}
		return
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		v.t.Fatalf("%s %s: %s, %v", method, path, response.Status, err)
	}
}
