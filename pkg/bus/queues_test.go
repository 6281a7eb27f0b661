package bus_test

import (
	"strings"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// It looks twice a second for hours, so it may not connect each time, and a missing queue or a lost connection may not end it.
func TestAnInspectorLooksAgainAndAgainOverOneConnection(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	var got seen
	running(t, newBroker(t, v.URL), queue(kind), got.sorted)
	i := newBroker(t, v.URL).NewInspector()
	if all := v.Connections("operator"); len(all) != 0 {
		t.Fatalf("before the first look it has connections: %v", all)
	}
	look := func() error {
		states, err := i.Queues(t.Context(), "payments.commands", "nobody.events", "payments.commands.dead")
		if err == nil && (states[0].Consumers != 1 || states[0].Missing || !states[1].Missing || states[2].Missing) {
			t.Errorf("%+v", states)
		}
		return err
	}
	var before []string
	for range 3 {
		if err := look(); err != nil {
			t.Fatal(err)
		}
		testkit.Until(t, "it has a connection", func() bool { return len(v.Connections("operator")) == 1 })
		now := v.Connections("operator")
		if before != nil && now[0] != before[0] {
			t.Errorf("it has connected again: %v after %v", now, before)
		}
		before = now
	}
	v.CloseConnections("operator")
	testkit.Until(t, "it looks again", func() bool { return look() == nil })
	i.Close()
	testkit.Until(t, "it has no connection", func() bool { return len(v.Connections("operator")) == 0 })
}

func TestAQueueShowsItsKindsBeforeAnyMessage(t *testing.T) { // not parallel: it sets the global meter provider
	reader := metric.NewManualReader()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	b := newBroker(t, "amqp://nobody@127.0.0.1:1/")
	b.NewConsumer(bus.Queue{Service: "payments", Exchange: bus.Commands, Kinds: []string{kind, "payments.refund_payment"}}, nil, nil)
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, _ := m.Data.(metricdata.Sum[int64])
			for _, p := range sum.DataPoints {
				kind, _ := p.Attributes.Value(attribute.Key("kind"))
				queue, _ := p.Attributes.Value(attribute.Key("queue"))
				outcome, _ := p.Attributes.Value(attribute.Key("outcome"))
				counts[strings.Join([]string{m.Name, queue.AsString(), kind.AsString(), outcome.AsString()}, " ")] = p.Value
			}
		}
	}
	for _, series := range []string{kind + " done", "payments.refund_payment done", " retry", " dead"} {
		if n, there := counts["bus_handled payments.commands "+series]; !there || n != 0 {
			t.Errorf("%s is counted as %d, %t: %v", series, n, there, counts)
		}
	}
}
