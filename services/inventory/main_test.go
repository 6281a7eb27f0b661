package main

import (
	"context"
	"encoding/json"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/service"
	"example.com/orderflow/pkg/testkit"
)

// The whole program with a database and a broker: it seeds its catalogue, carries out a command and publishes the result.
func TestTheProgramObeysACommandFromTheBroker(t *testing.T) {
	t.Parallel()
	vhost := testkit.NewVhost(t)
	cfg := config{
		Dependencies: service.Dependencies{DatabaseURL: testkit.DatabaseURL(t), RabbitMQURL: vhost.URL},
		Trust:        identity.Trust{JWKSURL: "http://127.0.0.1:1/"},
		Addr:         "127.0.0.1:0",
		Seed:         true,
		Supplier:     supplierSettings{URLs: client.URLs{newFactory(t).URL}},
	}
	testkit.Go(t, func(ctx context.Context) error {
		return run(ctx, &service.Program{Name: name, Log: testkit.Log(t)}, cfg)
	})
	testkit.Until(t, "the queue is there", func() bool { return vhost.Depth("inventory.commands") >= 0 })
	vhost.Tap("heard", "orderflow.events", "inventory.#")
	order := newOrder()
	command := letter(reserve(order, "MUG-BLUE", 2))
	vhost.Put("", "inventory.commands", amqp.Publishing{
		MessageId: command.ID, Type: command.Kind, ContentType: "application/json", Body: command.Body,
	})
	heard := map[string]int{}
	testkit.Until(t, "all products are announced and the order has its stock", func() bool {
		for d, ok := vhost.Get("heard"); ok; d, ok = vhost.Get("heard") {
			heard[d.Type]++
			var m messages.StockReserved
			if err := json.Unmarshal(d.Body, &m); err != nil || d.Type == m.Kind() && m.OrderID != order {
				t.Errorf("%s %s: %v", d.Type, d.Body, err)
			}
		}
		return heard["inventory.stock_reserved"] > 0 && heard["inventory.product_changed"] == len(seeds)
	})
	if heard["inventory.stock_reserved"] != 1 {
		t.Errorf("heard %v", heard)
	}
}
