package deadletters_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/deadletters"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/testkit"
	"example.com/orderflow/pkg/web"
	"example.com/orderflow/pkg/wire"
	amqp "github.com/rabbitmq/amqp091-go"
)

func TestMain(m *testing.M) { testkit.Main(m) }

type list struct {
	Items    []letter
	Next     string `json:"next_cursor"`
	Total    int
	LookedAt int `json:"looked_at"`
	Matching int
	Groups   []struct {
		Queue, Kind, Reason string
		Count               int
	}
}

type letter struct {
	ID, Service, Queue, Kind, Reason, Error string
	Attempts                                int
	LastFailed                              string `json:"last_failed_at"`
	Body                                    json.RawMessage
}

func TestAnOperatorListsReplaysAndDiscardsOverHTTP(t *testing.T) {
	t.Parallel()
	v, db := testkit.NewVhost(t), testkit.DB(t, deadletters.Migrations())
	broker, err := bus.NewBroker(v.URL, "payments", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	queue := bus.Queue{Service: "payments", Exchange: bus.Commands, Kinds: []string{"payments.take_payment"}, Retries: bus.DefaultRetries}
	publisher := broker.NewPublisher()
	testkit.Go(t, publisher.Run)
	var mended atomic.Bool
	var handled atomic.Int32
	testkit.Go(t, broker.NewConsumer(queue, publisher, func(_ context.Context, batch []bus.Delivery) []error {
		errs := make([]error, len(batch))
		for i := range errs {
			if !mended.Load() {
				errs[i] = bus.Reject(errors.New("a bug"))
				continue
			}
			handled.Add(1)
		}
		return errs
	}).Run)
	testkit.Until(t, "the broker is connected", broker.Connected)
	put := func(id, body string) {
		v.Put(bus.Commands, "payments.take_payment", amqp.Publishing{MessageId: id, Type: "payments.take_payment", CorrelationId: "order-1", Body: []byte(body)})
	}
	put("m1", `{"n":1}`)
	put("m2", "not \xff JSON")
	put("", `{"n":1,"n":2}`) // the list must be JSON also for strict readers
	testkit.Until(t, "three are dead", func() bool { return v.Depth("payments.commands.dead") == 3 })

	issuer, err := identity.NewIssuer(bytes.Repeat([]byte{7}, 32), "orderflow", "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	s := web.New(web.Config{Log: testkit.Log(t)})
	deadletters.New("payments", db, broker.NewDeadLetters(queue)).Register(s, web.Authenticate(issuer.Verifier(), identity.ScopeOperations))
	server := httptest.NewServer(s.Echo)
	defer server.Close()
	call := func(who, method, path, body string) (int, []byte) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/api/operations/dead-letters"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		scopes := map[string][]string{"olga": {identity.ScopeOperations}, "alice": {identity.ScopeOrders}}[who]
		token, err := issuer.Token(who, scopes, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // read to its end
		got, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, got
	}

	var got list
	var looking sync.WaitGroup
	for range 8 { // operators who look at the same time all see everything, if they try again when told to
		looking.Go(func() {
			var got list
			var status int
			var body []byte
			testkit.Until(t, "it is their turn", func() bool {
				status, body = call("olga", http.MethodGet, "?limit=2", "")
				return status != http.StatusServiceUnavailable
			})
			if status != 200 || json.Unmarshal(body, &got) != nil || len(got.Items) != 2 || got.Total != 3 {
				t.Errorf("list: %d %s", status, body)
			}
		})
	}
	looking.Wait()
	_, body := call("olga", http.MethodGet, "", "")
	if err := json.Unmarshal(body, &got); err != nil || len(got.Items) != 3 {
		t.Fatalf("%v %s", err, body)
	}
	slices.SortFunc(got.Items, func(a, b letter) int { return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID)) }) // m1, m2, nameless
	if it := got.Items[0]; it.ID != "payments.m1" || it.Queue != "payments.commands" || it.Reason != "rejected" || it.Error != "a bug" || it.Attempts != 1 || string(it.Body) != `{"n":1}` {
		t.Errorf("the first: %+v", it)
	}
	if !wire.Valid(body) {
		t.Errorf("the list cannot be read: %s", body)
	}
	if g := got.Groups; got.LookedAt != 3 || got.Matching != 3 || len(g) != 1 || g[0].Count != 3 || g[0].Reason != "rejected" {
		t.Errorf("%+v", got)
	}
	var one, two list
	_, body = call("olga", http.MethodGet, "?limit=2", "")
	if err := json.Unmarshal(body, &one); err != nil || one.Next == "" {
		t.Fatalf("%v %s", err, body)
	}
	_, body = call("olga", http.MethodGet, "?limit=2&cursor="+one.Next, "")
	if err := json.Unmarshal(body, &two); err != nil || two.Next != "" || len(two.Items) != 1 || two.Items[0].ID == one.Items[0].ID || two.Items[0].ID == one.Items[1].ID {
		t.Errorf("the second page: %v %s", err, body)
	}
	for _, c := range []struct {
		who, method, path, body string
		status                  int
	}{
		{"alice", "GET", "", "", 403},
		{"alice", "POST", "/payments.m1/replay", "", 403},
		{"olga", "GET", "?limit=0", "", 400},
		{"olga", "GET", "?cursor=x", "", 400},
		{"olga", "GET", "?cursor=" + web.Cursor("yesterday", "payments.m1"), "", 400},
		{"olga", "GET", "?kinds=x", "", 400},
		{"olga", "GET", "/payments.m2", "", 200},
		{"olga", "GET", "/payments.nothing", "", 404},
		{"olga", "GET", "/shipping.m1", "", 404},
		{"olga", "DELETE", "/payments.m1", "", 405},
		{"olga", "POST", "/payments.nothing/replay", "", 404},
		{"olga", "POST", "/payments.m2/discard", `{"reason":""}`, 422},
		{"olga", "POST", "/payments.m2/discard", `{}`, 422},
		{"olga", "POST", "/payments.m2/discard", `{"reason":"garbage"}`, 204},
		{"olga", "POST", "/payments.m2/discard", `{"reason":"garbage"}`, 404},
	} {
		if status, body := call(c.who, c.method, c.path, c.body); status != c.status {
			t.Errorf("%s %s %s: %d %s, want %d", c.who, c.method, c.path, status, body, c.status)
		}
	}
	// As if the broker had died between the copy that a replay makes and the acknowledgement: m1 is still there afterwards.
	v.Put("", "payments.commands.dead", amqp.Publishing{
		MessageId: "m1", Type: "payments.take_payment", Body: []byte(`{"n":1}`),
		Headers: amqp.Table{"dead-reason": "rejected", "error": "a bug", "last-failed-at": got.Items[0].LastFailed},
	})
	mended.Store(true)
	for _, id := range []string{"payments.m1", got.Items[2].ID, "payments.m1"} {
		if status, body := call("olga", http.MethodPost, "/"+id+"/replay", ""); status != 204 {
			t.Errorf("replay %s: %d %s", id, status, body)
		}
	}
	testkit.Until(t, "all are handled and none is dead", func() bool { return handled.Load() == 3 && v.Depth("payments.commands.dead") == 0 })

	rows, err := db.Query(t.Context(), `SELECT operator || ' ' || action || ' ' || why || ' ' || body::text FROM dead_letter_audit ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var audit []string
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		audit = append(audit, row)
	}
	if len(audit) != 3 || // m1 was replayed twice, and is in the audit once
		!strings.HasPrefix(audit[0], "olga discard garbage \\x6e6f7420ff") || !strings.HasPrefix(audit[1], "olga replay ") {
		t.Errorf("audit %q", audit)
	}
}
