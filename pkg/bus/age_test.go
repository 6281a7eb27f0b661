package bus_test

import (
	"context"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func TestTheAgeOfWaitingMessagesIsAMetric(t *testing.T) { // not parallel: it sets the global meter provider
	reader := metric.NewManualReader()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	ages := func() map[string]float64 {
		found := map[string]float64{}
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				if gauge, ok := m.Data.(metricdata.Gauge[float64]); ok && m.Name == "bus_queue_age" {
					for _, p := range gauge.DataPoints {
						queue, _ := p.Attributes.Value("queue")
						found[queue.AsString()] = p.Value
					}
				}
			}
		}
		return found
	}
	age := func() float64 { return ages()["payments.commands"] }
	release := make(chan struct{})
	v := testkit.NewVhost(t)
	p, _ := running(t, newBroker(t, v.URL), queue(kind), func(_ context.Context, batch []bus.Delivery) []error {
		<-release
		return make([]error, len(batch))
	})
	idle := newBroker(t, v.URL)
	idle.NewConsumer(bus.Queue{Service: "payments", Exchange: bus.Events}, idle.NewPublisher(), nil)
	if got := ages(); len(got) != 2 || got["payments.commands"] != 0 || got["payments.events"] != 0 {
		t.Errorf("two queues with nothing to do have the ages %v", got)
	}
	late := message(`{}`)
	late.Time = late.Time.Add(-1e12) // written long ago, as a deadline is: its age counts from when it was sent
	publish(t, p, late)
	testkit.Until(t, "the age grows while the message is in hand", func() bool { return age() > 0.3 })
	if got := age(); got > 60 {
		t.Errorf("the age is %f: it is counted from when the message was written", got)
	}
	close(release)
	testkit.Until(t, "nothing is old once all is done", func() bool { return age() == 0 })
}
