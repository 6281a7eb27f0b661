package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/audit"
	"example.com/orderflow/local/system"
	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
)

// rest bounds the time until a system is at rest after its orders have ended.
const rest = 60 * time.Second

// auditOf audits a system. Its error is the whole report.
func auditOf(ctx context.Context, s *system.System, accepted ...string) error {
	report, err := audit.Await(ctx, audit.Of(s, repo), audit.Expectations{Accepted: accepted}, rest)
	if err != nil {
		return err
	}
	return report.Err()
}

// audited fails a test if the system does not come to rest, if its books disagree, or if an accepted order is missing in them.
func audited(t *testing.T, s *system.System, accepted ...string) {
	t.Helper()
	if err := auditOf(t.Context(), s, accepted...); err != nil {
		t.Error(err)
	}
}

// The auditor finds changes that were made by hand in databases, queues and the provider's journal.
func TestTheAuditorFindsWhatWasChangedByHand(t *testing.T) {
	t.Parallel()
	s := start(t, system.Each(1), settings)
	c := stories.New(t, world(s))
	sku := c.Product(20, 0, 0)
	twice, undone, forgotten := c.Place(stories.Wish{SKU: sku}), c.Place(stories.Wish{SKU: sku}), c.Place(stories.Wish{SKU: sku, Card: "tok_declined"})
	for _, id := range []string{twice, undone, forgotten} {
		c.End(id)
	}
	audited(t, s, twice, undone, forgotten)

	chargeTwice(t, s, twice)
	change(t, s, "orders", `UPDATE orders SET status = 'shipped' WHERE id = $1`, undone)
	change(t, s, "inventory", `UPDATE reservations SET status = 'reserved' WHERE order_id = $1`, forgotten)
	change(t, s, "inventory", `UPDATE products SET available = available + 1 WHERE sku = $1`, sku)
	bury(t, s, "orders.events.dead", twice)
	for _, p := range s.Named("shipping") { // so that messages stay in its queue
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	bury(t, s, "shipping.commands", twice)

	var report audit.Report
	found := func(rule, subject string) bool {
		return slices.ContainsFunc(report.Breaches, func(b audit.Breach) bool { return b.Rule == rule && b.Subject == subject })
	}
	stories.Until(t, "RabbitMQ has counted the message in the queue", func() bool {
		var err error
		if report, err = audit.Await(t.Context(), audit.Of(s, repo), audit.Expectations{Accepted: []string{"lost"}}, 0); err != nil {
			t.Fatal(err)
		}
		return found("every queue is empty, those of retries too", "shipping.commands")
	})
	for _, breach := range []struct{ rule, subject string }{
		{"an order that was accepted exists", "lost"},
		{"no order is charged twice", twice},
		{"payments and the provider agree to the cent", twice},
		{"no message is dead but those expected", twice},
		{"an order is at its end, or a person has been told", undone},
		{"a timeline is a way through the saga", undone},
		{"a cancelled order holds no stock", forgotten},
		{"what is reserved is what orders hold", sku},
		{"what came less what was delivered is on the shelf", sku},
	} {
		if !found(breach.rule, breach.subject) {
			t.Errorf("%q says nothing of %s", breach.rule, breach.subject)
		}
	}
	told := map[string]bool{}
	for _, note := range report.Stories[twice] {
		told[note.In] = true
	}
	for _, in := range []string{"orders", "timeline", "payments", "provider", "inventory", "shipping", "carrier", "orders.events.dead"} {
		if !told[in] {
			t.Errorf("the story has nothing from %s: %+v", in, report.Stories[twice])
		}
	}
}

// change changes a row of a service's database.
func change(t *testing.T, s *system.System, service, sql, id string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.DatabaseURL(service))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if done, err := conn.Exec(t.Context(), sql, id); err != nil || done.RowsAffected() != 1 {
		t.Fatalf("%s: %v, %v", sql, done, err)
	}
}

// chargeTwice adds a second charge of an order to the provider's journal.
func chargeTwice(t *testing.T, s *system.System, id string) {
	t.Helper()
	simulator := s.Program("simulator", 1)
	if err := simulator.Stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(filepath.Dir(simulator.LogFile())), "simulator", "journal.jsonl")
	journal, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var again []byte
	for text := range bytes.Lines(journal) {
		var line struct{ Entry map[string]any }
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatal(err)
		}
		if line.Entry["kind"] == "charge" && line.Entry["reference"] == id {
			line.Entry["key"], line.Entry["id"] = "another", "ch_another"
			again, err = json.Marshal(map[string]any{"entry": line.Entry})
		}
	}
	if err != nil || again == nil {
		t.Fatalf("no charge of %s in the journal, %v", id, err)
	}
	if err := os.WriteFile(path, slices.Concat(journal, again, []byte("\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := simulator.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// bury publishes a message about an order to a queue.
func bury(t *testing.T, s *system.System, queue, id string) {
	t.Helper()
	conn, err := amqp.Dial(s.Broker.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseDeadline(time.Now().Add(time.Second)) //nolint:errcheck // the test is over
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{
		MessageId: "by-hand", Type: "payments.payment_taken", CorrelationId: id, DeliveryMode: amqp.Persistent, Body: []byte(`{}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := confirm.WaitContext(t.Context()); err != nil || !ok {
		t.Fatalf("put into %s: %t, %v", queue, ok, err)
	}
}
