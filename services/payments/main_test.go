package main

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/service"
	"example.com/orderflow/pkg/testkit"
	"github.com/caarlos0/env/v11"
	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

func TestTheSettingsHaveDefaults(t *testing.T) {
	t.Parallel()
	cfg, err := env.ParseAsWithOptions[config](env.Options{Environment: map[string]string{
		"DATABASE_URL": "postgres://db", "RABBITMQ_URL": "amqp://mq", "PROVIDER_TIMEOUT": "3s",
	}})
	if err != nil {
		t.Fatal(err)
	}
	p := cfg.Provider
	if cfg.Addr != "127.0.0.1:8083" || len(p.URLs) != 1 || p.URLs[0] != "http://localhost:8090/provider" || p.Timeout != 3*time.Second || p.Slots != 8 || p.CertainAfter != 30*time.Second {
		t.Errorf("%+v", cfg)
	}
	_, err = env.ParseAsWithOptions[config](env.Options{Environment: map[string]string{
		"DATABASE_URL": "postgres://db", "RABBITMQ_URL": "amqp://mq", "PROVIDER_URL": "localhost:8090",
	}})
	if err == nil {
		t.Error("an URL without a scheme is taken")
	}
}

// The whole program: a command goes in at RabbitMQ and its event comes out there, and a contradiction is a dead letter.
func TestTheProgramAnswersACommandWithAnEvent(t *testing.T) {
	t.Parallel()
	b, mq := newBank(t), testkit.NewVhost(t)
	cfg, err := env.ParseAsWithOptions[config](env.Options{Environment: map[string]string{
		"DATABASE_URL": testkit.DatabaseURL(t), "RABBITMQ_URL": mq.URL, "PROVIDER_URL": b.URL + "/provider", "HTTP_ADDR": "127.0.0.1:0",
	}})
	if err != nil {
		t.Fatal(err)
	}
	program := &service.Program{Name: name, Log: testkit.Log(t), Metrics: http.NotFoundHandler()}
	stop := testkit.Go(t, func(ctx context.Context) error { return run(ctx, program, cfg) })
	testkit.Until(t, "the queue is there", func() bool { return mq.Depth("payments.commands") == 0 })
	mq.Tap("tap", bus.Events, "payments.#")

	send := func(m messages.Message) {
		body, _ := json.Marshal(m)
		mq.Put(bus.Commands, m.Kind(), amqp.Publishing{MessageId: uuid.Must(uuid.NewV7()).String(), Type: m.Kind(), Body: body})
	}
	hear := func() (kind string, body []byte) {
		t.Helper()
		testkit.Until(t, "an event comes out", func() bool {
			d, ok := mq.Get("tap")
			kind, body = d.Type, d.Body
			return ok
		})
		return kind, body
	}
	order := uuid.Must(uuid.NewV7()).String()
	for _, row := range []struct {
		m      messages.Message
		answer messages.Message
	}{
		{take(order, "tok_flaky"), messages.PaymentTaken{OrderID: order, Amount: amount}},
		{refund(order), messages.PaymentRefunded{OrderID: order, Amount: amount}},
	} {
		send(row.m)
		want, _ := json.Marshal(row.answer)
		if kind, body := hear(); kind != row.answer.Kind() || string(body) != string(want) {
			t.Errorf("%s is answered by %s %s, want %s", row.m.Kind(), kind, body, want)
		}
	}
	send(messages.TakePayment{OrderID: order, Amount: messages.Money{Amount: 1, Currency: "EUR"}, Method: "tok_visa"})
	testkit.Until(t, "the contradiction is a dead letter", func() bool { return mq.Depth("payments.commands.dead") == 1 })
	stop()
	if b.balance(order) != 0 {
		t.Errorf("balance %d", b.balance(order))
	}
}
