package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/service"
	"example.com/orderflow/pkg/telemetry"
	"example.com/orderflow/pkg/testkit"
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
	if cfg.Addr != "127.0.0.1:8083" || len(p.URLs) != 1 || p.URLs[0] != "http://localhost:8090/provider" || p.Timeout != 3*time.Second || p.Slots != 100 || p.InDoubtFor != 30*time.Second {
		t.Errorf("%+v", cfg)
	}
	_, err = env.ParseAsWithOptions[config](env.Options{Environment: map[string]string{
		"DATABASE_URL": "postgres://db", "RABBITMQ_URL": "amqp://mq", "PROVIDER_URL": "localhost:8090",
	}})
	if err == nil {
		t.Error("an URL without a scheme is taken")
	}
}

// The whole program: a command published to RabbitMQ is answered with an event, and a contradiction becomes a dead letter.
func TestTheProgramAnswersACommandWithAnEvent(t *testing.T) {
	t.Parallel()
	b, mq := newBank(t), testkit.NewVhost(t)
	cfg, err := env.ParseAsWithOptions[config](env.Options{Environment: map[string]string{
		"DATABASE_URL": testkit.DatabaseURL(t), "RABBITMQ_URL": mq.URL, "PROVIDER_URL": b.URL + "/provider", "HTTP_ADDR": "127.0.0.1:0",
	}})
	if err != nil {
		t.Fatal(err)
	}
	metrics, stopMetrics, err := telemetry.Start(name, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopMetrics(context.Background()) })
	program := &service.Program{Name: name, Log: testkit.Log(t), Metrics: metrics}
	stop := testkit.Go(t, func(ctx context.Context) error { return run(ctx, program, cfg) })
	testkit.Until(t, "the queue is there", func() bool { return mq.Depth("payments.commands") == 0 })
	mq.Tap("tap", bus.Events, "payments.#")

	put := func(exchange, key string, m messages.Message) {
		body, _ := json.Marshal(m)
		mq.Put(exchange, key, amqp.Publishing{MessageId: uuid.Must(uuid.NewV7()).String(), Type: m.Kind(), Body: body})
	}
	next := func() (kind string, body []byte) {
		t.Helper()
		testkit.Until(t, "an event comes out", func() bool {
			d, ok := mq.Get("tap")
			kind, body = d.Type, d.Body
			return ok
		})
		return kind, body
	}
	order := uuid.Must(uuid.NewV7()).String()
	wantHeard := func(answer messages.Message) {
		t.Helper()
		want, _ := json.Marshal(answer)
		if kind, body := next(); kind != answer.Kind() || string(body) != string(want) {
			t.Errorf("heard %s %s, want %s %s", kind, body, answer.Kind(), want)
		}
	}
	put("", "payments.commands", take(order, "tok_flaky")) // its answer also shows that all queues are declared
	wantHeard(messages.PaymentTaken{OrderID: order, Amount: amount})
	for range 3 { // the same answer each time
		put(bus.Commands, "payments.refund_payment", refund(order))
		wantHeard(messages.PaymentRefunded{OrderID: order, Amount: amount})
	}
	put(bus.Commands, "payments.take_payment", messages.TakePayment{OrderID: order, Amount: messages.Money{Amount: 1, Currency: "EUR"}, Method: "tok_visa"})
	testkit.Until(t, "the contradiction is a dead letter", func() bool { return mq.Depth("payments.commands.dead") == 1 })

	put(bus.Commands, "payments.take_payment", take(uuid.NewString(), "tok_held"))
	<-b.inHand
	page := httptest.NewRecorder()
	metrics.ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`payments_unsettled{status="requested"} 1`, `payments_oldest_unsettled_seconds{status="requested"} 0.`,
		`payments_provider_calls_total{call="charge",outcome="succeeded"} `, `payments_provider_calls_total{call="refund",outcome="succeeded"} `,
	} {
		if !strings.Contains(page.Body.String(), line) {
			t.Errorf("no metric %s in\n%s", line, page.Body)
		}
	}
	// Other tests of this process may be ignoring messages, too.
	if !regexp.MustCompile(`inbox_ignored_total\{kind="payments\.refund_payment"\} ([2-9]|\d\d)`).MatchString(page.Body.String()) {
		t.Errorf("at least 2 were ignored, and not so in\n%s", page.Body)
	}
	close(b.letGo)
	stop()
	if b.balance(order) != 0 {
		t.Errorf("balance %d", b.balance(order))
	}
}
