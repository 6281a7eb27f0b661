package e2e

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/system"
	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

type problem struct {
	Type, Title, Detail, Instance string
	Status                        int
	RequestID                     string `json:"request_id"`
}

func TestBadInputGetsAClearProblemThroughTheGateway(t *testing.T) {
	t.Parallel()
	c := stories.New(t, world(together(t)))
	good := stories.Wish{SKU: c.Product(5, 0, 0)}.JSON()
	id := c.Place(stories.Wish{SKU: c.Product(5, 0, 0)})
	key := []string{"Idempotency-Key", "nasty"}
	for _, n := range []struct {
		name, who, method, path, body string
		headers                       []string
		status                        int
	}{
		{"malformed JSON", "alice", "POST", "/api/orders", `{"lines":`, key, 400},
		{"invalid UTF-8", "alice", "POST", "/api/orders", strings.Replace(good, "Alice", "\xff", 1), key, 400},
		{"a NUL", "alice", "POST", "/api/orders", strings.Replace(good, "Alice", `\u0000`, 1), key, 422},
		{"an unknown field", "alice", "POST", "/api/orders", strings.Replace(good, `{"lines"`, `{"discount":1,"lines"`, 1), key, 422},
		{"an unknown SKU", "alice", "POST", "/api/orders", stories.Wish{SKU: "NO-SUCH"}.JSON(), key, 422},
		{"quantity of a billion", "alice", "POST", "/api/orders", strings.Replace(good, `"quantity":1`, `"quantity":1000000000`, 1), key, 422},
		{"5 MB", "alice", "POST", "/api/orders", strings.Replace(good, "Alice", strings.Repeat("a", 5<<20), 1), key, 413},
		{"another media type", "alice", "POST", "/api/orders", good, append([]string{"Content-Type", "text/xml"}, key...), 415},
		{"no key", "alice", "POST", "/api/orders", good, nil, 400},
		{"no token", "", "POST", "/api/orders", good, key, 401},
		{"no scope", "alice", "GET", "/api/operations/attention", "", nil, 403},
		{"a shopper changes a price", "alice", "PUT", "/api/products/MUG-BLUE", `{}`, nil, 403},
		{"another's order", "bob", "GET", "/api/orders/" + id, "", nil, 404},
		{"another's tracking", "bob", "GET", "/api/orders/" + id + "/tracking", "", nil, 404},
		{"another's cancellation", "bob", "POST", "/api/orders/" + id + "/cancellation", "", nil, 404},
		{"an unknown order", "alice", "GET", "/api/orders/" + uuid.NewString(), "", nil, 404},
		{"an unknown product", "", "GET", "/api/products/NO-SUCH", "", nil, 404},
		{"an unknown path", "alice", "GET", "/api/nothing", "", nil, 404},
		{"a wrong method", "alice", "DELETE", "/api/orders/" + id, "", nil, 405},
		{"a bad cursor", "alice", "GET", "/api/orders?cursor=%00", "", nil, 400},
		{"a bad limit", "alice", "GET", "/api/orders?limit=-1", "", nil, 400},
		{"a parameter that is not known", "alice", "GET", "/api/orders?status=paid", "", nil, 400},
		{"a parameter given twice", "", "GET", "/api/products?sort=name&sort=price", "", nil, 400},
		{"stock below nothing", "olga", "POST", "/api/products/MUG-BLUE/stock", `{"add":-1}`, nil, 422},
		{"a dead letter of nobody", "olga", "GET", "/api/operations/dead-letters/nobody.1", "", nil, 404},
		{"a dead letter that is not there", "olga", "POST", "/api/operations/dead-letters/orders.1/replay", "", nil, 404},
	} {
		a, err := c.Call(n.who, n.method, n.path, n.body, n.headers...)
		if err != nil {
			t.Errorf("%s: %v", n.name, err)
			continue
		}
		var p problem
		if err := json.Unmarshal(a.Body, &p); err != nil || a.Status != n.status || p.Status != n.status || p.RequestID == "" || p.Detail == "" ||
			a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s %s, want %d", n.name, a.Status, a.Header.Get("Content-Type"), a.Body, n.status)
		}
		if n.status == 405 && a.Header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", n.name)
		}
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	s := together(t)
	c := stories.New(t, world(s))
	good, err := c.As("alice").Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	decode := func(s string) map[string]any {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		var m map[string]any
		if err != nil || json.Unmarshal(raw, &m) != nil {
			t.Fatal(s)
		}
		return m
	}
	encode := func(m map[string]any) string {
		raw, _ := json.Marshal(m)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	header, claims := decode(parts[0]), decode(parts[1])
	none := map[string]any{"alg": "none", "typ": "JWT"}
	olga := decode(parts[1])
	olga["sub"], olga["scope"] = "olga", "orders operations"
	_, mine, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signed := encode(header) + "." + encode(olga)
	old := decode(parts[1])
	old["exp"] = time.Now().Add(-time.Hour).Unix()

	orders := append(s.Named("orders"), s.Named("inventory")...)
	for name, token := range map[string]string{
		"nonsense":              "nonsense",
		"alg none":              encode(none) + "." + encode(claims) + ".",
		"another's claims":      parts[0] + "." + encode(olga) + "." + parts[2],
		"another key":           signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(mine, []byte(signed))),
		"expired and not ours":  parts[0] + "." + encode(old) + "." + parts[2],
		"without its signature": parts[0] + "." + parts[1] + ".",
	} {
		if a, err := c.Call("", http.MethodGet, "/api/orders", "", "Authorization", "Bearer "+token); err != nil || a.Status != http.StatusUnauthorized {
			t.Errorf("%s at the gateway: %d %v", name, a.Status, err)
		}
		for _, service := range orders[:1] { // directly, without the gateway, as a client inside would
			direct := stories.New(t, stories.World{Gateway: service.URL})
			if a, err := direct.Call("", http.MethodGet, "/api/orders", "", "Authorization", "Bearer "+token, "X-User-Id", "alice"); err != nil || a.Status != http.StatusUnauthorized {
				t.Errorf("%s at %s: %d %v", name, service.Name, a.Status, err)
			}
		}
	}
	if a, err := c.Call("alice", http.MethodGet, "/api/orders", "", "Connection", "Authorization"); err != nil || a.Status != http.StatusOK {
		t.Errorf("a hop-by-hop trick strips the identity: %d %v", a.Status, err)
	}
}

func TestTheMetricsAreNotPublic(t *testing.T) {
	t.Parallel()
	c := stories.New(t, world(together(t)))
	if a, err := c.Call("", http.MethodGet, "/metrics", ""); err != nil || a.Status == http.StatusOK {
		t.Errorf("/metrics through the public port: %d %v", a.Status, err)
	}
}

// A malformed message on any queue ends in its dead-letter queue with the reason, and has no other effect.
func TestAMalformedMessageOnAnyQueueIsDeadLettered(t *testing.T) {
	t.Parallel()
	s := start(t, system.Each(1), settings)
	c := stories.New(t, world(s))
	conn := stories.Dial(t, s.Broker.URL)
	ch := stories.Channel(t, conn)
	queues := []string{"orders.commands", "orders.events", "payments.commands", "inventory.commands", "inventory.events", "shipping.commands"}
	bad := []amqp.Publishing{
		{Body: []byte("not JSON")},
		{MessageId: uuid.NewString(), Type: "payments.take_payment", Body: []byte(`{"order_id":"x"`)},
		{MessageId: uuid.NewString(), Type: "no.such_kind", Body: []byte(`{}`)},
		{MessageId: "1", Type: "inventory.reserve_stock", Body: bytes.Repeat([]byte("\x00\xff"), 100_000)},
	}
	for _, queue := range queues {
		// Programs are ready before the broker is, and a quorum queue that is just being made can lose unconfirmed messages.
		stories.Until(t, queue+" is consumed", func() bool {
			q, err := stories.Channel(t, conn).QueueDeclarePassive(queue, true, false, false, false, nil)
			return err == nil && q.Consumers > 0
		})
		for _, p := range bad {
			if err := ch.PublishWithContext(context.Background(), "", queue, true, false, p); err != nil {
				t.Fatal(err)
			}
		}
	}
	id := c.Place(stories.Wish{SKU: c.Product(5, 0, 0)})
	if end := c.End(id); end.Status != "delivered" {
		t.Errorf("an order among them ended %s", end.Status)
	}
	type letter struct{ ID, Queue, Reason, Error string }
	var list struct {
		Items   []letter
		Missing []string
	}
	var seen string
	defer func() { t.Log("dead letters by queue:", seen) }() // shown only when the test fails
	stories.Until(t, "all of them are dead letters", func() bool {
		c.Must(http.StatusOK, "olga", http.MethodGet, "/api/operations/dead-letters?limit=100", "").Into(t, &list)
		count := map[string]int{}
		for _, l := range list.Items {
			count[l.Queue]++
		}
		seen = fmt.Sprint(count, ", no answer from ", list.Missing)
		return len(list.Items) == len(queues)*len(bad)
	})
	count := map[string]int{}
	for _, l := range list.Items {
		count[l.Queue]++
		if l.Reason != "rejected" || l.Error == "" {
			t.Errorf("%+v has no reason", l)
		}
	}
	for _, queue := range queues {
		if count[queue] != len(bad) {
			t.Errorf("%d dead letters of %s, want %d", count[queue], queue, len(bad))
		}
	}
	for _, l := range list.Items {
		c.Must(http.StatusOK, "olga", http.MethodGet, "/api/operations/dead-letters/"+url.PathEscape(l.ID), "")
		c.Must(http.StatusNoContent, "olga", http.MethodPost, "/api/operations/dead-letters/"+url.PathEscape(l.ID)+"/discard", `{"reason":"a test put it there"}`)
	}
	c.Must(http.StatusOK, "olga", http.MethodGet, "/api/operations/dead-letters", "").Into(t, &list)
	if len(list.Items) != 0 {
		t.Errorf("%d dead letters are left", len(list.Items))
	}
}

// A service has only the broker permissions that it needs.
func TestAServiceCannotReadOrCommandItsUpstreams(t *testing.T) {
	t.Parallel()
	s := together(t)
	try := func(service string, use func(*amqp.Channel) error) error {
		conn, err := amqp.Dial(s.RabbitURL(service))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseDeadline(time.Now().Add(time.Second)) //nolint:errcheck // the test is over
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		return use(ch)
	}
	publish := func(exchange, key string) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			confirm, err := ch.PublishWithDeferredConfirm(exchange, key, false, false, amqp.Publishing{Body: []byte(`{}`)})
			if err != nil {
				return err
			}
			if ok, err := confirm.WaitContext(t.Context()); err != nil || !ok {
				return fmt.Errorf("confirmed %t, %w", ok, err)
			}
			return nil
		}
	}
	read := func(queue string) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error { _, _, err := ch.Get(queue, false); return err }
	}
	for _, c := range []struct {
		what, service string
		use           func(*amqp.Channel) error
	}{
		{"payments reads shipping's queue", "payments", read("shipping.commands")},
		{"payments reads orders' dead letters", "payments", read("orders.events.dead")},
		{"payments commands shipping", "payments", publish("orderflow.commands", "shipping.arrange_shipment")},
		{"payments speaks for orders", "payments", publish("orderflow.events", "orders.order_completed")},
		{"payments goes through the default exchange", "payments", publish("", "shipping.commands")},
		{"shipping goes through inventory's exchange", "shipping", publish("inventory.redelivery", "inventory.commands")},
	} {
		if err := try(c.service, c.use); err == nil {
			t.Errorf("%s, and nobody minds", c.what)
		}
	}
}
