package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/fault"
)

const metrics = `# HELP orders_under_way Orders that are not final, by status.
orders_under_way{status="paid"} 3
orders_under_way{status="gift_wrapping"} 2
orders_need_attention 0
outbox_due 2
outbox_oldest_seconds 61.5
outbox_refused 1
bus_queue_age_seconds{otel_scope_name="orderflow/bus",queue="orders.commands"} 75.4
bus_queue_age_seconds{queue="orders.events"} 0
client_breaker_open{upstream="orders",replica="http://a"} 1
client_breaker_open{upstream="shipping",replica="http://b"} 0
odd
`

func TestAProgramTellsHowItIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("orders", has(map[string]http.HandlerFunc{"/readyz": says(200, `{"status":"ready","rabbitmq_connected":false}`), "/metrics": says(200, metrics)}))
	f.answer("payments", has(map[string]http.HandlerFunc{"/readyz": says(503, `{"status":"draining"}`)}))
	f.services["shipping"].Close()
	found := map[string]health{}
	for _, h := range f.site.checkUp(t.Context()) {
		found[h.Name] = h
	}
	if h := found["orders"]; h.State != "ready" || h.RabbitMQ != "away" || h.Outbox != "2, the oldest for 1m2s; 1 refused by the broker" || !h.Troubled || strings.Join(h.Breakers, " ") != "orders at http://a" {
		t.Errorf("orders: %+v", h)
	}
	if found["payments"].State != "draining" || found["shipping"].State != "away" {
		t.Errorf("%+v", found)
	}
	rows := map[string]bar{}
	for _, row := range bars(map[string]int{"delivered": 4, "paid": 1}, underWay([]health{found["orders"]})) {
		rows[row.Status] = row
	}
	if r := rows["paid"]; *r.Now != 3 || *r.Lately != 1 || r.Percent != 25 {
		t.Errorf("%+v", r)
	}
	if r := rows["delivered"]; !r.Final || r.Percent != 100 {
		t.Errorf("%+v", r)
	}
	if r := rows["gift_wrapping"]; r.Now == nil || *r.Now != 2 {
		t.Errorf("a status of a newer release: %+v", r)
	}
	for _, half := range [][]bar{bars(nil, map[string]int{"paid": 3, "new": 1}), bars(map[string]int{"paid": 3, "new": 1}, nil)} {
		if last := half[len(half)-1]; len(half) != len(chart)+1 || last.Status != "new" || (last.Lately == nil) == (last.Now == nil) {
			t.Errorf("where only one of the two is known: %+v", last)
		}
	}
	f.as("olga").loads(200, "/operations", "How many came lately is", "gift wrapping")
	f.site.feed.joined(true)
	f.as("olga").loads(200, "/operations", "draining", "away", "1m2s", "orders at http://a", `width="0%"`, "gift wrapping")
}

// An operator opens the console when something is wrong. Missing data must not look as if all were well.
func TestTheConsoleDoesNotTellWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", has(map[string]http.HandlerFunc{"/readyz": says(200, `{"status":"ready","rabbitmq_connected":true}`), "/metrics": says(500, ``)}))
	f.services["orders"].Close()
	page := f.as("olga").loads(200, "/operations",
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
	if n := strings.Count(page, "?<span class=\"hidden\"> not known"); n < 2*len(chart)-2+5 {
		t.Errorf("only %d things are not known", n)
	}
}

// Orders runs without its database: it answers, but leaves out what it cannot count.
func TestWithoutItsDatabaseOrdersReportsNoCounts(t *testing.T) {
	t.Parallel()
	if counts := underWay([]health{{program: program{Name: "orders"}, samples: []sample{{name: "process_cpu_seconds_total"}}}}); counts != nil {
		t.Errorf("%v", counts)
	}
	if counts := underWay([]health{{program: program{Name: "orders"}, samples: []sample{{name: "orders_need_attention"}}}}); counts == nil || len(counts) != 0 {
		t.Errorf("with nothing under way: %v", counts)
	}
}

func TestAProgramWithoutAnAddressIsShownAsAway(t *testing.T) {
	t.Parallel()
	h, err := program{Name: "orders"}.checkUp(t.Context())
	if h.State != "away" || !errors.Is(err, errNoAddress) {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestAnAbsenceKeepsTheTimeWhenItWasFirstNoticed(t *testing.T) {
	t.Parallel()
	var a absences
	away, begun := fault.New(fault.Unavailable, "orders cannot be reached"), time.Unix(1000, 0)
	if got := a.of("orders", away, begun); got.Cause != away.Detail || !got.Since.Equal(begun) {
		t.Errorf("%+v", got)
	}
	if got := a.of("orders", away, begun.Add(time.Minute)); !got.Since.Equal(begun) {
		t.Errorf("a minute later: %+v", got)
	}
	if got := a.of("orders", away, begun.Add(time.Hour)); !got.Since.Equal(begun.Add(time.Hour)) {
		t.Errorf("nobody has looked for an hour: %+v", got)
	}
	if got := a.of("orders", nil, begun.Add(time.Hour)); got != nil || len(a.seen) != 0 {
		t.Errorf("it is back: %+v", got)
	}
}

func TestAQueueIsAsOldAsTheOldestMessageOfAnyReplica(t *testing.T) {
	t.Parallel()
	replica := func(metrics string) health { return health{samples: samples([]byte(metrics))} }
	old := ages([]health{replica(`bus_queue_age_seconds{queue="a.commands"} 2`), replica(`bus_queue_age_seconds{queue="a.commands"} 75.4` + "\n" + `bus_queue_age_seconds{queue="b.commands"} 9`)})
	queues, dead, lost := withoutDead([]bus.QueueState{
		{Name: "a.commands", Ready: 3, Consumers: 2},
		{Name: "a.commands.dead", Ready: 4},
		{Name: "b.commands", Ready: 7},
		{Name: "b.commands.dead", Ready: 1},
		{Name: "c.commands", Missing: true},
		{Name: "c.commands.dead", Missing: true},
		{Name: "d.commands"},
		{Name: "d.commands.dead", Missing: true},
	}, old)
	if !slices.Equal(lost, []string{"d.commands.dead"}) {
		t.Errorf("lost: %q", lost)
	}
	if len(queues) != 3 || dead != 5 || queues[0].Name != "b.commands" || queues[0].Age != "" || queues[1].Age != "1m15s" {
		t.Errorf("%+v, %d dead; nobody takes from b, so its age is not known", queues, dead)
	}
}

func TestMetricsAreReadInEveryFormThatPrometheusAllows(t *testing.T) {
	t.Parallel()
	text := "# TYPE age gauge\nage{queue=\"a, \\\"b\\\"\",node=\"n\",} 7.5 1767225600000\n# TYPE took histogram\ntook_bucket{le=\"+Inf\"} 1\ntook_sum 2\ntook_count 1\n"
	all := samples([]byte(text + "nonsense"))
	age := slices.IndexFunc(all, func(m sample) bool { return m.name == "age" })
	if age < 0 || all[age].value != 7.5 || all[age].labels["queue"] != `a, "b"` || all[age].labels["node"] != "n" {
		t.Errorf("%+v", all)
	}
}

func TestTheFlowCountsAnOrderOnceInEachStatus(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.site.feed.joined(true)
	f.announce(3, "paid")
	f.site.feed.receive([]bus.Delivery{{Message: bus.Message{Body: []byte(`{"order_id":"o-1","seq":4,"status":"paid","entered":false}`)}}})
	if sums, _ := f.site.feed.lately(time.Now()); sums["paid"] != 1 {
		t.Errorf("%v", sums)
	}
}

func TestTheFlowForgetsOldEntries(t *testing.T) {
	t.Parallel()
	f := newFeed()
	f.joined(true)
	now := time.Now()
	f.flow.count("paid", now.Add(-flowMinutes*time.Minute))
	f.flow.count("paid", now.Add(-time.Minute))
	f.flow.count("paid", now)
	f.flow.count("placed", now)
	if sums, from := f.lately(now); sums["paid"] != 2 || sums["placed"] != 1 || from != f.changed {
		t.Errorf("%v from %s; it has listened since %s", sums, from, f.changed)
	}
	later := now.Add(time.Hour)
	if sums, from := f.lately(later); sums == nil || len(sums) != 0 || from != later.Add(-flowMinutes*time.Minute) {
		t.Errorf("an hour later: %v from %s", sums, from)
	}
	f.joined(false)
	if sums, _ := f.lately(now); sums != nil {
		t.Errorf("while nothing is heard: %v", sums)
	}
	f.joined(true)
	if sums, from := f.lately(now); len(sums) != 0 || from != f.changed {
		t.Errorf("what was heard before the gap: %v", sums)
	}
}

func TestADeadLetterIsShownReplayedAndDiscarded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("payments", says(200, `{"items":[{"id":"payments.1","queue":"payments.commands","kind":"payments.take_payment","subject":"o-1","attempts":8,"reason":"gave up","error":"<boom>","last_failed_at":"2026-01-01T10:00:00Z","body":{"amount":1}}],"total":1}`))
	f.services["shipping"].Close()
	b := f.as("olga")
	b.loads(200, "/operations/dead-letters", "payments.take_payment", "&lt;boom&gt;", "gave up, after 8 attempts", "&#34;amount&#34;: 1", "The dead letters of shipping are not in this list", `action="/operations/dead-letters/payments.1/replay"`)

	body := make(chan string, 1)
	f.answer("payments", func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body <- r.Method + " " + r.URL.Path + " " + string(text)
		w.WriteHeader(http.StatusNoContent)
	})
	b.posts("/operations/dead-letters/payments.1/replay", "/operations/dead-letters")
	if got := <-body; got != "POST /api/operations/dead-letters/payments.1/replay " {
		t.Error(got)
	}
	b.posts("/operations/dead-letters/payments.1/discard", "/operations/dead-letters", "reason", " no use ")
	if got := <-body; got != `POST /api/operations/dead-letters/payments.1/discard {"reason":"no use"}` {
		t.Error(got)
	}
	f.answer("payments", says(404, `{}`))
	b.posts("/operations/dead-letters/payments.1/replay", "/operations/dead-letters")
	if answer, _ := b.send(http.MethodPost, "/operations/dead-letters/nobody.1/replay", url.Values{}); answer.StatusCode != http.StatusNotFound {
		t.Errorf("of nobody: %s", answer.Status)
	}
}

func TestStockIsShownAndReplenishedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, `{"items":[{"sku":"PEN","name":"Pen","available":1,"reserved":2,"backordered":3,"on_order":4,"kept":1,"reorder_point":5,"reorder_quantity":10}]}`))
	b := f.as("olga")
	page := b.loads(200, "/operations/stock", "Pen", "10 at 5", `class="number bad" data-label="On hand">2 <span class="soft">(1 kept)</span><`)
	var got struct{ Add int }
	f.answer("inventory", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&got)
		w.WriteHeader(http.StatusOK)
	})
	key := keyOf.FindStringSubmatch(page)[1]
	b.posts("/operations/stock", "/operations/stock#PEN", "sku", "PEN", "name", "Pen", "add", "12", "key", key)
	if seen := f.asked("inventory"); got.Add != 12 || seen.URL.Path != "/api/products/PEN/stock" || seen.Header.Get("Idempotency-Key") != key {
		t.Errorf("%+v, %s", got, seen.URL)
	}
	f.answer("inventory", says(200, `{"items":[]}`))
	b.loads(200, "/operations/stock", "Pen: what you have added is on the shelf.")
	for from, to := range map[string]string{f.url + "/operations/stock?q=pen": "/operations/stock?q=pen", "https://evil.example//x.example/": "/", "": "/"} {
		b.headers["Referer"] = from
		answer, page := b.send(http.MethodPost, "/operations/stock", url.Values{"sku": {"../x"}, "add": {"1"}})
		if answer.StatusCode != http.StatusBadRequest || !strings.Contains(page, `<a class="button" href="`+to+`">`) {
			t.Errorf("%s leads back from %q to %s", answer.Status, from, page)
		}
	}
}
