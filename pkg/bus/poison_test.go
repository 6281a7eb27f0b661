package bus_test

import (
	"strings"
	"testing"

	"example.com/orderflow/pkg/testkit"
	amqp "github.com/rabbitmq/amqp091-go"
)

// A message that was put into a queue by hand may be one whose copy cannot be published as it is, or not alone.
func TestAMessageThatIsPutIntoAQueueByHandStopsNothing(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 130_900)
	q := queue(kind)
	for name, headers := range map[string]amqp.Table{
		"headers that leave no room for a story": {"note": long},
		"a copy for another queue":               {"CC": []any{q.Name()}},
		"copies for nobody":                      {"CC": []any{"nobody", ""}},
		"all that AMQP knows":                    {"a": nil, "b": true, "c": int8(1), "d": []byte{0, 255}, "e": amqp.Decimal{Scale: 1, Value: 2}, "f": []any{amqp.Table{"g": 1.5}}, "attempt": "many", "first-failed-at": int32(7)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := testkit.NewVhost(t)
			var got seen
			p, _ := running(t, newBroker(t, v.URL), q, got.sorted)
			publish(t, p, message(`"good"`))
			for _, body := range []string{`"bad"`, `"flaky"`} {
				v.Put("", q.Name(), amqp.Publishing{MessageId: body, Type: kind, Headers: headers, Body: []byte(body)})
			}
			testkit.Until(t, "the flaky one is done at its second attempt", func() bool { return got.distinctAttempts(`"flaky"`) > 0 })
			testkit.Until(t, "the bad one is dead", func() bool { return v.Depth(q.Dead()) == 1 })
			publish(t, p, message(`"good"`))
			testkit.Until(t, "the queue goes on", func() bool { return got.distinct() == 3 })
			if n := got.distinctAttempts(`"flaky"`); n != 1 {
				t.Errorf("the flaky one was done %d times", n)
			}
			if n := v.Depth(q.Dead()); n != 1 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}
