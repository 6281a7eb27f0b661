package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/service"
	"example.com/orderflow/pkg/telemetry"
	"example.com/orderflow/pkg/testkit"
)

// The whole program, from a command at the broker to the events at the broker.
func TestTheProgram(t *testing.T) {
	t.Parallel()
	v, carrier := testkit.NewVhost(t), newFakeCarrier(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	metrics, stopMetrics, err := telemetry.Start(name, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopMetrics(context.Background()) })
	cfg := config{
		Addr: addr, Poll: pace{Every: 50 * time.Millisecond, Most: time.Second},
		Carrier:      carrierSettings{URLs: client.URLs{carrier.URL + "/carrier"}, Timeout: callTimeout, Slots: 8},
		Dependencies: service.Dependencies{DatabaseURL: testkit.DatabaseURL(t), RabbitMQURL: v.URL},
		Trust:        identity.Trust{JWKSURL: "http://127.0.0.1:1/jwks.json"},
	}
	program := &service.Program{Name: name, Log: testkit.Log(t), Metrics: metrics}
	stop := testkit.Go(t, func(ctx context.Context) error { return run(ctx, program, cfg) })
	get := func(path string) (int, string) {
		response, err := http.Get("http://" + addr + path)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	testkit.Until(t, "it is ready and connected", func() bool {
		status, body := get("/readyz")
		return status == 200 && strings.Contains(body, `"rabbitmq_connected":true`)
	})
	v.Tap("tap", bus.Events, "shipping.*")

	id := uuid.NewString()
	body, _ := json.Marshal(arrangement(id))
	v.Put(bus.Commands, "shipping.arrange_shipment", amqp.Publishing{MessageId: uuid.NewString(), Type: "shipping.arrange_shipment", CorrelationId: id, Body: body})
	heard := func(kind string) {
		t.Helper()
		testkit.Until(t, kind, func() bool {
			d, ok := v.Get("tap")
			if ok && (d.Type != kind || d.CorrelationId != id || d.AppId != name) {
				t.Errorf("%s about %s by %s, want %s", d.Type, d.CorrelationId, d.AppId, kind)
			}
			return ok
		})
	}
	heard("shipping.shipment_arranged")
	v.Put(bus.Commands, "shipping.arrange_shipment", amqp.Publishing{MessageId: uuid.NewString(), Type: "shipping.arrange_shipment", CorrelationId: id, Body: body})
	heard("shipping.shipment_arranged") // the same answer
	carrier.carry(id, dispatched)
	heard("shipping.shipment_dispatched")

	if status, _ := get("/api/shipments/" + id); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	if status, _ := get("/api/operations/dead-letters"); status != 401 {
		t.Errorf("dead letters without a token: %d", status)
	}
	_, metricsText := get("/metrics")
	for _, line := range []string{
		`shipping_under_way{status="dispatched"} 1`, `shipping_oldest_without_progress_seconds{status="dispatched"} `,
		`shipping_carrier_calls_total{call="ship",outcome="parcel"} `, `shipping_carrier_calls_total{call="track",outcome="parcel"} `,
	} {
		if !strings.Contains(metricsText, line) {
			t.Errorf("no metric %s in\n%s", line, metricsText)
		}
	}
	// Other tests of this process may be ignoring messages, too.
	if !regexp.MustCompile(`inbox_ignored_total\{kind="shipping\.arrange_shipment"\} [1-9]`).MatchString(metricsText) {
		t.Errorf("at least 1 were ignored, and not so in\n%s", metricsText)
	}
	stop()
	if status, body := get("/livez"); status != 0 {
		t.Errorf("after its end: %d %s", status, body)
	}
}
