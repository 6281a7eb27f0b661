package deadletters_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/deadletters"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"example.com/orderflow/pkg/web"
	"github.com/jackc/pgx/v5"
	"github.com/labstack/echo/v4"
	amqp "github.com/rabbitmq/amqp091-go"
)

// desk is a service whose pool has few connections, with its operations open to all callers.
func desk(t *testing.T) (url string, db *postgres.DB, v *testkit.Vhost, ask func(method, path, body string) *http.Response) {
	t.Helper()
	url, v = testkit.DatabaseURL(t), testkit.NewVhost(t)
	few := "?pool_max_conns=4"
	if strings.Contains(url, "?") {
		few = "&pool_max_conns=4"
	}
	db, err := postgres.Open(t.Context(), url+few, "payments", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if err := postgres.Migrate(t.Context(), db, testkit.Log(t), deadletters.Migrations()); err != nil {
		t.Fatal(err)
	}
	broker, err := bus.NewBroker(v.URL, "payments", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	commands := bus.Queue{Service: "payments", Exchange: bus.Commands, Kinds: []string{"payments.take_payment"}, Retries: bus.DefaultRetries}
	s := web.New(web.Config{Log: testkit.Log(t)})
	everybody := func(next echo.HandlerFunc) echo.HandlerFunc { return next }
	deadletters.New("payments", db, broker.NewDeadLetters(commands)).Register(s, everybody)
	server := httptest.NewServer(s.Echo)
	t.Cleanup(server.Close)
	return url, db, v, func(method, path, body string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/api/operations/dead-letters"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			return &http.Response{}
		}
		_ = response.Body.Close()
		return response
	}
}

// Calls that wait for another replica's operator must not keep the service from its database.
func TestManyCallsThatWaitForTheDeadLettersLeaveThePoolToOthers(t *testing.T) {
	t.Parallel()
	url, db, _, ask := desk(t)
	replica, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer replica.Close(context.Background()) //nolint:errcheck // nothing is lost with it
	if _, err := replica.Exec(t.Context(), `SELECT pg_advisory_lock(hashtextextended('dead letters of payments.commands', 0))`); err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for i := range 20 {
		asking.Go(func() {
			method, path := http.MethodGet, ""
			if i%2 == 0 {
				method, path = http.MethodPost, "/payments.m1/replay"
			}
			if got := ask(method, path, ""); got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "1" {
				t.Errorf("%s %s: %d, come back after %q", method, path, got.StatusCode, got.Header.Get("Retry-After"))
			}
		})
	}
	answered := make(chan struct{})
	go func() { asking.Wait(); close(answered) }()
	for done := false; !done; {
		if n := db.Stat().AcquiredConns(); n > 2 {
			t.Errorf("%d of 4 connections are taken", n)
		}
		if err := db.Ping(t.Context()); err != nil { // as readiness does
			t.Errorf("the database cannot be asked: %v", err)
		}
		select {
		case <-answered:
			done = true
		default:
		}
	}
	if _, err := replica.Exec(t.Context(), `SELECT pg_advisory_unlock_all()`); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "it is our turn", func() bool { return ask(http.MethodGet, "", "").StatusCode == http.StatusOK })
}

// The history of a dead letter is in headers that anybody may have written. It can be settled whatever they hold.
func TestADeadLetterWhoseHistoryCannotBeStoredCanBeSettled(t *testing.T) {
	t.Parallel()
	_, db, v, ask := desk(t)
	testkit.Until(t, "the queue is there", func() bool { return ask(http.MethodGet, "", "").StatusCode == http.StatusOK })
	v.Put("", "payments.commands.dead", amqp.Publishing{
		MessageId: "m1", Type: "payments.\x00take\xff", Body: []byte("\x00"),
		Headers: amqp.Table{"dead-reason": "rej\x00ected\xff", "error": "a \x00 and \xff"},
	})
	testkit.Until(t, "it is settled", func() bool {
		return ask(http.MethodPost, "/payments.m1/discard", `{"reason":"garbage"}`).StatusCode == http.StatusNoContent
	})
	var reason string
	if err := db.QueryRow(t.Context(), `SELECT reason FROM dead_letter_audit`).Scan(&reason); err != nil || reason != "rej\uFFFDected\uFFFD" {
		t.Errorf("%q, %v", reason, err)
	}
}
