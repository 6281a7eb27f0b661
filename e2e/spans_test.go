package e2e

import (
	"context"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/direct"
	"example.com/orderflow/local/system"
	"example.com/orderflow/local/traces"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// traced starts a system that sends its spans to a receiver. Nothing but a test makes an order ask again.
func traced(t *testing.T, further ...string) (*system.System, *traces.Receiver) {
	t.Helper()
	receiver := &traces.Receiver{}
	server := httptest.NewServer(receiver.Handler())
	t.Cleanup(server.Close)
	s := start(t, system.Each(2), map[string][]string{
		"":          append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_BSP_SCHEDULE_DELAY=100"}, further...),
		"simulator": {"CARRIER_PACE=400ms", "SUPPLIER_LEAD_TIME=1s"},
		"orders":    {"STEP_TIMEOUT=1h"},
	})
	return s, receiver
}

// order is an order with its trace.
type order struct {
	*stories.Client
	receiver *traces.Receiver
	id       string
	trace    string
	root     string // the name of the request that placed it
}

func (o order) spans() []traces.Span { return o.receiver.Trace(o.trace) }

// traceOf returns the trace of an order, as operators see it.
func traceOf(c *stories.Client, r *traces.Receiver, id string) order {
	c.Helper()
	var seen struct {
		TraceID string `json:"trace_id"`
	}
	c.Must(http.StatusOK, "olga", http.MethodGet, "/api/orders/"+id+"/tracking", "").Into(c, &seen)
	if seen.TraceID == "" {
		c.Fatalf("order %s has no trace", id)
	}
	return order{c, r, id, seen.TraceID, "POST /api/orders"}
}

// path returns the spans from the root to the last one for which a condition holds.
func (o order) path(last func(traces.Span) bool) (path []traces.Span) {
	spans := o.spans()
	byID := map[string]traces.Span{}
	for _, s := range spans {
		byID[s.ID] = s
	}
	for i := slices.IndexFunc(spans, last); i >= 0; i = slices.IndexFunc(spans, func(s traces.Span) bool { return s.ID == path[0].Parent }) {
		path = slices.Insert(path, 0, spans[i])
	}
	return path
}

func named(name string) func(traces.Span) bool {
	return func(s traces.Span) bool { return s.Name == name }
}

// whole waits until a span and everything above it has arrived, and returns the way to it, as "program: name".
func (o order) whole(last string) (way []string) {
	o.Helper()
	stories.Until(o, last+" is in the trace of order "+o.id+", below the request", func() bool {
		path := o.path(named(last))
		way = nil
		for _, s := range path {
			way = append(way, s.Program+": "+s.Name)
		}
		return len(path) > 0 && path[0].Parent == ""
	})
	return way
}

// check checks what holds for every trace of an order: it has one root, which is the request at the gateway; the parent of every
// other span is there; and spans of messages name the order and the batch that they were a part of.
func (o order) check() {
	o.Helper()
	var wrong []string
	stories.Until(o, "the trace of order "+o.id+" is complete", func() bool {
		wrong = o.wrong()
		return len(wrong) == 0 || o.Failed()
	})
	for _, what := range wrong {
		o.Error(what)
	}
	if o.Failed() {
		o.Log(traces.Tree(o.spans()))
	}
}

func (o order) wrong() (wrong []string) {
	spans := o.spans()
	there := map[string]bool{}
	for _, s := range spans {
		there[s.ID] = true
	}
	roots := 0
	for _, s := range spans {
		note := func(format string, args ...any) {
			wrong = append(wrong, fmt.Sprintf("%s: %s: ", s.Program, s.Name)+fmt.Sprintf(format, args...))
		}
		switch {
		case s.Parent == "":
			roots++
			if s.Program != "gateway" || s.Kind != "server" || s.Name != o.root {
				note("is the root")
			}
		case !there[s.Parent]:
			note("is an orphan")
		}
		if s.Resource["service.namespace"] != "orderflow" || s.Resource["service.version"] == "" || s.Resource["host.name"] == "" {
			note("is of %v", s.Resource)
		}
		operation := map[string]string{"producer": "publish", "consumer": "process"}[s.Kind]
		if operation == "" {
			continue
		}
		for name, want := range map[string]string{
			"messaging.system":                  "rabbitmq",
			"messaging.operation.name":          operation,
			"messaging.operation.type":          map[string]string{"publish": "send", "process": "process"}[operation],
			"messaging.message.conversation_id": o.id,
		} {
			if got := s.Attributes[name]; got != want {
				note("%s is %q, want %q", name, got, want)
			}
		}
		if uuid.Validate(s.Attributes["messaging.message.id"]) != nil {
			note("the message is %q", s.Attributes["messaging.message.id"])
		}
		if s.Name != operation+" "+s.Attributes["messaging.destination.name"] || !strings.Contains(s.Name, ":"+s.Attributes["messaging.rabbitmq.destination.routing_key"]) {
			note("has another name than its destination")
		}
		if len(s.Links) != 1 || len(o.batch(s.Links[0], operation+" batch")) != 1 {
			note("has no link to its batch: %v", s.Links)
		}
	}
	if roots != 1 {
		wrong = append(wrong, fmt.Sprintf("there are %d roots", roots))
	}
	return wrong
}

func (o order) batch(l traces.Link, name string) []traces.Span {
	return o.receiver.Spans(func(s traces.Span) bool {
		return s.Trace == l.Trace && s.ID == l.ID && s.Parent == "" && s.Name == name && s.Trace != o.trace
	})
}

// has waits for a span.
func (o order) has(what string, which func(traces.Span) bool) (found traces.Span) {
	o.Helper()
	stories.Until(o, what+" is in the trace of order "+o.id, func() bool {
		spans := o.spans()
		i := slices.IndexFunc(spans, which)
		if i >= 0 {
			found = spans[i]
		}
		return i >= 0
	})
	return found
}

func deadLetter(s traces.Span) bool {
	return s.Attributes["orderflow.message.outcome"] == "dead" && s.Failed &&
		slices.ContainsFunc(s.Events, func(e traces.Event) bool {
			return e.Name == "dead letter" && e.Attributes["orderflow.message.dead_reason"] == "rejected"
		})
}

// trap lets the database of payments refuse a payment of this amount.
func trap(t *testing.T, s *system.System, amount int, how string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.DatabaseURL("payments"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing depends on it any more
	name := fmt.Sprintf("trap_%d", amount)
	if _, err := conn.Exec(t.Context(), fmt.Sprintf(`
		CREATE SEQUENCE %[1]s;
		CREATE FUNCTION %[1]s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %[3]s RETURN NEW; END $$;
		CREATE TRIGGER %[1]s BEFORE INSERT ON payments FOR EACH ROW WHEN (NEW.amount = %[2]d) EXECUTE FUNCTION %[1]s()`, name, amount, how)); err != nil {
		t.Fatal(err)
	}
}

// The products of the tests cost 10.00, so the amount shows the quantity.
func TestAnOrderIsOneTraceHoweverItEnds(t *testing.T) {
	t.Parallel()
	s, receiver := traced(t)
	trap(t, s, 2000, `RAISE EXCEPTION 'trapped' USING ERRCODE = 'check_violation';`)
	trap(t, s, 3000, `IF nextval('trap_3000') = 1 THEN RAISE EXCEPTION 'trapped once'; END IF;`)
	c := stories.New(t, world(s))
	sku := c.Product(100, 0, 0)

	t.Run("delivered", func(t *testing.T) {
		t.Parallel()
		c := stories.New(t, world(s))
		const outside = "0af7651916cd43dd8448eb211c80319c"
		var placed struct{ ID string }
		c.Must(http.StatusAccepted, "alice", http.MethodPost, "/api/orders", stories.Wish{SKU: sku}.JSON(), "Idempotency-Key", uuid.NewString(),
			"Traceparent", "00-"+outside+"-b7ad6b7169203331-01", "Tracestate", "outside=1", "Baggage", "outside=1").Into(t, &placed)
		c.End(placed.ID)
		o := traceOf(c, receiver, placed.ID)
		got, want := o.whole("process orderflow.events:orders.order_completed:inventory.events"), []string{
			"gateway: POST /api/orders",
			"gateway: POST orders",
			"orders: POST /api/orders",
			"orders: publish orderflow.commands:inventory.reserve_stock",
			"inventory: process orderflow.commands:inventory.reserve_stock:inventory.commands",
			"inventory: publish orderflow.events:inventory.stock_reserved",
			"orders: process orderflow.events:inventory.stock_reserved:orders.events",
			"orders: publish orderflow.commands:payments.take_payment",
			"payments: process orderflow.commands:payments.take_payment:payments.commands",
			"payments: provider: requested",
			"payments: publish orderflow.events:payments.payment_taken",
			"orders: process orderflow.events:payments.payment_taken:orders.events",
			"orders: publish orderflow.commands:shipping.arrange_shipment",
			"shipping: process orderflow.commands:shipping.arrange_shipment:shipping.commands",
			"shipping: carrier: progress",
			"shipping: publish orderflow.events:shipping.shipment_delivered",
			"orders: process orderflow.events:shipping.shipment_delivered:orders.events",
			"orders: publish orderflow.events:orders.order_completed",
			"inventory: process orderflow.events:orders.order_completed:inventory.events",
		}
		if !slices.Equal(got, want) {
			t.Errorf("its way is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		root := o.has("the request", func(s traces.Span) bool { return s.Parent == "" })
		if len(root.Links) != 1 || root.Links[0].Trace != outside || o.trace == outside {
			t.Errorf("the trace %s of a request that names %s has the links %v", o.trace, outside, root.Links)
		}
		for name, want := range map[string]string{"http.request.method": "POST", "http.route": "/api/orders", "url.path": "/api/orders", "http.response.status_code": "202"} {
			if root.Attributes[name] != want {
				t.Errorf("the request's %s is %q", name, root.Attributes[name])
			}
		}
		charge := o.has("the charge", func(s traces.Span) bool { return s.Name == "POST provider" })
		if up := o.path(func(s traces.Span) bool { return s.ID == charge.ID }); up[len(up)-2].Name != "provider: requested" {
			t.Errorf("the charge is below %s", up[len(up)-2].Name)
		}
		if a := charge.Attributes; charge.Kind != "client" || a["http.response.status_code"] != "201" || a["server.address"] != "127.0.0.1" ||
			a["url.full"] != s.SimulatorURL+"/provider/charges" || a["service.peer.name"] != "provider" {
			t.Errorf("the charge says %v", a)
		}
		o.check()
	})

	t.Run("placed on a page", func(t *testing.T) {
		t.Parallel()
		c := stories.New(t, world(s))
		o := traceOf(c, receiver, clicked(t, s, sku))
		o.root = "POST /{page...}"
		o.End(o.id)
		way := o.whole("process orderflow.events:orders.order_completed:inventory.events")
		want := []string{"gateway: POST /{page...}", "gateway: POST bff-web", "bff-web: POST /checkout", "bff-web: POST orders", "orders: POST /api/orders"}
		if !slices.Equal(way[:len(want)], want) {
			t.Errorf("it begins\n%s", strings.Join(way, "\n"))
		}
		o.check()
	})

	t.Run("the attempts of a call", func(t *testing.T) {
		t.Parallel()
		c := stories.New(t, world(s))
		o := traceOf(c, receiver, c.Place(stories.Wish{SKU: sku, Card: "tok_flaky"}))
		o.End(o.id)
		o.has("a failed attempt", func(s traces.Span) bool {
			return s.Name == "POST provider" && s.Failed && s.Attributes["http.response.status_code"] == "503"
		})
		o.has("the attempt after it", func(s traces.Span) bool {
			return s.Name == "POST provider" && !s.Failed && s.Attributes["http.request.resend_count"] != ""
		})
		o.whole("process orderflow.events:orders.order_completed:inventory.events")
		o.check()
	})

	t.Run("declined", func(t *testing.T) {
		t.Parallel()
		c := stories.New(t, world(s))
		o := traceOf(c, receiver, c.Place(stories.Wish{SKU: sku, Card: "tok_declined"}))
		o.End(o.id)
		o.has("the decision to compensate", func(s traces.Span) bool {
			return s.Name == "process orderflow.events:payments.payment_declined:orders.events" && s.Attributes["orderflow.order.compensating"] == "true" &&
				s.Attributes["orderflow.order.reason"] == "payment_declined" && s.Attributes["orderflow.order.status"] == "releasing"
		})
		if way := o.whole("process orderflow.events:inventory.stock_released:orders.events"); !slices.Contains(way, "orders: publish orderflow.commands:inventory.release_stock") {
			t.Errorf("the way to the released stock is\n%s", strings.Join(way, "\n"))
		}
		o.check()
	})

	t.Run("a message is handled again", func(t *testing.T) {
		t.Parallel()
		c := stories.New(t, world(s))
		o := traceOf(c, receiver, c.Place(stories.Wish{SKU: sku, Quantity: 3}))
		o.End(o.id)
		const take = "process orderflow.commands:payments.take_payment:payments.commands"
		first := o.has("the attempt that fails", func(s traces.Span) bool {
			return s.Name == take && s.Attributes["orderflow.message.attempt"] == "1" && s.Attributes["orderflow.message.outcome"] == "retry" && s.Failed
		})
		second := o.has("the attempt after it", func(s traces.Span) bool {
			return s.Name == take && s.Attributes["orderflow.message.attempt"] == "2" && s.Attributes["orderflow.message.outcome"] == "done" && !s.Failed
		})
		if first.Parent != second.Parent {
			t.Error("the attempts to handle a message are not beside each other")
		}
		o.whole("process orderflow.events:orders.order_completed:inventory.events")
		o.check()
	})

	t.Run("dead-lettered and cancelled", func(t *testing.T) {
		t.Parallel()
		c := stories.New(t, world(s))
		o := traceOf(c, receiver, c.Place(stories.Wish{SKU: sku, Quantity: 2}))
		o.has("the dead letter", deadLetter)
		var again traces.Span
		stories.Until(t, "an operator can make the order ask again", func() bool { // not at once after it has asked
			c.Must(http.StatusAccepted, "olga", http.MethodPost, "/api/operations/orders/"+o.id+"/retry", "")
			asked := slices.DeleteFunc(o.spans(), func(s traces.Span) bool { return s.Name != "order: asked again" })
			if len(asked) > 0 {
				again = asked[0]
			}
			return len(asked) > 0
		})
		dead := func() int {
			return len(receiver.Spans(func(s traces.Span) bool { return s.Trace == o.trace && deadLetter(s) }))
		}
		stories.Until(t, "the repeated command is a dead letter in the same trace", func() bool { return dead() == 2 })
		if answer, err := c.Cancel(o.id); err != nil || answer.Status != http.StatusAccepted {
			t.Fatal(answer.Status, err)
		}
		o.End(o.id)
		cancelled := o.has("the cancellation", named("order: cancellation requested"))
		for _, s := range []traces.Span{again, cancelled} {
			if len(s.Links) != 1 || len(receiver.Spans(func(other traces.Span) bool {
				return other.ID == s.Links[0].ID && other.Trace != o.trace && other.Program == "orders" && other.Kind == "server"
			})) != 1 {
				t.Errorf("%s has no link to its request: %v", s.Name, s.Links)
			}
		}
		if way := o.whole("process orderflow.events:payments.payment_refunded:orders.events"); !slices.Contains(way, "orders: order: cancellation requested") {
			t.Errorf("the way to the refund is\n%s", strings.Join(way, "\n"))
		}
		o.check()
	})

	t.Run("a deadline", func(t *testing.T) {
		t.Parallel()
		c := stories.New(t, world(s))
		o := traceOf(c, receiver, c.Place(stories.Wish{SKU: sku, Quantity: 2}))
		o.has("the dead letter", deadLetter)
		conn, err := pgx.Connect(t.Context(), s.DatabaseURL("orders"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing depends on it any more
		if _, err := conn.Exec(t.Context(), `UPDATE orders SET due_at = now() WHERE id = $1`, o.id); err != nil {
			t.Fatal(err)
		}
		o.has("the deadline", named("order: asked again"))
		stories.Until(t, "the repeated command is a dead letter in the same trace", func() bool {
			return len(receiver.Spans(func(s traces.Span) bool { return s.Trace == o.trace && deadLetter(s) })) == 2
		})
		o.check()
	})
}

var hidden = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)"`)

// clicked places an order on the pages, as alice does without scripts, and returns its id.
func clicked(t *testing.T, s *system.System, sku string) (id string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: direct.Transport}
	send := func(method, path string, form url.Values) (landed, page string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.GatewayURL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", s.GatewayURL)
		answer, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close() //nolint:errcheck // it is read to its end
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Request.URL.Path, string(body)
	}
	send(http.MethodPost, "/sign-in", url.Values{"who": {"alice"}, "next": {"/"}})
	send(http.MethodPost, "/cart", url.Values{"sku": {sku}, "quantity": {"1"}})
	_, page := send(http.MethodGet, "/checkout", nil)
	form := url.Values{"name": {"A"}, "street": {"1 Main St"}, "city": {"Berlin"}, "postal_code": {"10115"}, "country": {"DE"}, "payment_method": {"tok_visa"}}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	landed, _ := send(http.MethodPost, "/checkout", form)
	id, ok := strings.CutPrefix(landed, "/orders/")
	if !ok {
		t.Fatalf("the checkout leads to %s", landed)
	}
	return id
}

func TestWhatIsNotSampledIsNotRecorded(t *testing.T) {
	t.Parallel()
	s, receiver := traced(t, "OTEL_TRACES_SAMPLER=always_off")
	c := stories.New(t, world(s))
	id := c.Place(stories.Wish{SKU: c.Product(1, 0, 0)})
	if end := c.End(id); end.Status != "delivered" {
		t.Errorf("it ended %s", end.Status)
	}
	o := traceOf(c, receiver, id) // it has an id, which is in the logs
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if spans := receiver.Spans(func(traces.Span) bool { return true }); len(spans) > 0 {
		t.Errorf("%d spans were recorded, such as %+v", len(spans), spans[0])
	}
	for _, program := range []string{"gateway", "orders"} {
		if !logged(t, s, program, o.trace) {
			t.Errorf("%s has not logged the trace of the order", program)
		}
	}
}

// logged reports whether a text is in the logs of a program's replicas.
func logged(t *testing.T, s *system.System, program, text string) bool {
	t.Helper()
	return slices.ContainsFunc(s.Named(program), func(p *system.Part) bool {
		log, err := os.ReadFile(p.LogFile())
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(log), text)
	})
}

// A receiver that takes connections and never answers stops neither orders nor the end of the programs. Stop fails if it has to
// kill one.
func TestAReceiverOfSpansThatHangsStopsNothing(t *testing.T) {
	t.Parallel()
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = deaf.Close() })
	s := start(t, system.Each(1), map[string][]string{
		"":          {"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + deaf.Addr().String(), "OTEL_BSP_SCHEDULE_DELAY=100"},
		"simulator": {"CARRIER_PACE=400ms"},
	})
	c := stories.New(t, world(s))
	if end := c.End(c.Place(stories.Wish{SKU: c.Product(1, 0, 0)})); end.Status != "delivered" {
		t.Errorf("it ended %s", end.Status)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if !logged(t, s, "orders", "the last spans are lost") || !logged(t, s, "orders", `"msg":"stopped"`) {
		t.Error("orders does not say that spans are lost, and stop")
	}
}
