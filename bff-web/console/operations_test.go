package console_test

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/internal/orders"
)

// An operator opens the console when something is wrong. Missing data must not look as if all were well.
func TestTheConsoleDoesNotTellWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Has(map[string]http.HandlerFunc{"/readyz": apptest.Says(200, `{"status":"ready","rabbitmq_connected":true}`), "/metrics": apptest.Says(500, ``)}))
	f.Services["orders"].Close()
	page := f.As("olga").Loads(200, "/operations",
		"How many came lately is", "this program does not hear RabbitMQ",
		"How many are in each status now is", "no replica of orders tells it",
		"Which orders wait for longer than they should is", "orders cannot be reached",
		"How many messages were given up is", "What waits in the queues is", "this program has no RABBITMQ_URL",
		`<td class="bad">away <span class="cause">it does not answer, noticed <time`)
	for _, wrong := range []string{">0<", "No message was given up", "No order waits", `<p class="good">`} {
		if strings.Contains(page, wrong) {
			t.Errorf("it knows nothing, and says %q:\n%s", wrong, page)
		}
	}
	// Not known are a bar and two numbers for each status, the outbox and the breakers of two programs, and RabbitMQ for one.
	if n := strings.Count(page, "?<span class=\"hidden\"> not known"); n < 2*len(orders.Statuses)-2+5 {
		t.Errorf("only %d things are not known", n)
	}
}
