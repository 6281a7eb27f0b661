// Package contract proves a consumer's contract: that the fields in its needs.yaml are exactly those that it needs of the
// messages that it receives, and that it receives what api/asyncapi.yaml says. It is for tests only.
package contract

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/api/asyncapi"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/postgres"
)

// Inbox is a service's inbox.
type Inbox interface {
	Commands() []string
	Events() []string
	Handle(ctx context.Context, batch []bus.Delivery) []error
}

// Subject is what a message is about: an order and a product that no other message is about.
type Subject struct{ Order, SKU string }

var subjects atomic.Int64

// NewSubject returns a subject that does not exist yet.
func NewSubject() Subject {
	return Subject{uuid.Must(uuid.NewV7()).String(), fmt.Sprintf("SKU-%d", subjects.Add(1))}
}

// Service proves the contract of a service with a database. given returns what a message of a kind is to be about, in a state in
// which the message has an effect. The effect is what changes in the tables, the outbox among them; so the service's clock must
// stand still. numbers are columns that count all rows of their table.
func Service(t *testing.T, name string, db *postgres.DB, inbox Inbox, given func(kind string) Subject, numbers ...string) {
	t.Helper()
	receives := map[string][]string{}
	for _, q := range []bus.Queue{{Service: name, Exchange: bus.Commands, Kinds: inbox.Commands()}, {Service: name, Exchange: bus.Events, Kinds: inbox.Events()}} {
		if len(q.Kinds) > 0 {
			receives[q.Name()] = q.Kinds
		}
	}
	Consumer(t, name, "needs.yaml", receives, func(kind string, body []byte) string {
		about := given(kind)
		text := strings.NewReplacer(exampleOrder, about.Order, exampleSKU, about.SKU).Replace(string(body))
		m := bus.Message{ID: uuid.Must(uuid.NewV7()).String(), Kind: kind, TraceParent: exampleTrace, Body: []byte(text)}
		before := rowsAbout(t, db, about, numbers)
		if err := inbox.Handle(t.Context(), []bus.Delivery{{Attempt: 1, Message: m}})[0]; err != nil {
			if !bus.Rejected(err) {
				t.Fatalf("%s: %v", text, err)
			}
			return "it is rejected"
		}
		var changes []string
		after := rowsAbout(t, db, about, numbers)
		for _, row := range after {
			if !slices.Contains(before, row) {
				changes = append(changes, "+ "+row)
			}
		}
		for _, row := range before {
			if !slices.Contains(after, row) {
				changes = append(changes, "- "+row)
			}
		}
		return strings.NewReplacer(m.ID, "<message>", about.Order, "<order>", about.SKU, "<sku>").Replace(strings.Join(changes, "\n"))
	})
}

// What the examples of the document are about.
const (
	exampleOrder = "0199c0de-0000-7000-8000-000000000001"
	exampleSKU   = "MUG-BLUE"
	exampleTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

// Consumer proves the contract of any consumer. file is its needs.yaml. receives are the kinds for which it has handlers, sorted, by the address of the
// queue in the document. effect returns what a message does to the consumer, as text: the same for two messages that do the
// same.
func Consumer(t *testing.T, name, file string, receives map[string][]string, effect func(kind string, body []byte) string) {
	t.Helper()
	document, err := asyncapi.Read()
	if err != nil {
		t.Fatal(err)
	}
	if says := document.Received(name); !maps.EqualFunc(receives, says, slices.Equal) {
		t.Errorf("%s receives %v\nand asyncapi.yaml says %v", name, receives, says)
	}
	needs, err := asyncapi.ReadNeeds(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Promises(needs); err != nil {
		t.Error(err)
	}
	kinds := slices.Sorted(maps.Keys(needs))
	if all := slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Values(receives))...))); !slices.Equal(kinds, all) {
		t.Errorf("%s is about %v\nwant %v", file, kinds, all)
	}
	for _, kind := range kinds {
		examples, err := document.Examples(kind)
		if err != nil {
			t.Fatal(err)
		}
		unused := slices.Clone(needs[kind])
		for _, example := range examples {
			whole := effect(kind, example)
			if only := effect(kind, must(t)(asyncapi.Only(example, needs[kind]))); only != whole {
				t.Errorf("%s needs more than %v of\n%s\nwhich has the effect\n%s\nand with these alone\n%s", kind, needs[kind], example, whole, only)
			}
			unused = slices.DeleteFunc(unused, func(need string) bool {
				path := strings.TrimSuffix(need, "?")
				return asyncapi.Has(example, path) && effect(kind, must(t)(asyncapi.Without(example, path))) != whole
			})
		}
		if len(unused) > 0 {
			t.Errorf("%s has the same effect without %v", kind, unused)
		}
	}
}

func must(t *testing.T) func([]byte, error) []byte {
	return func(body []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
}

// rowsAbout returns all rows about a subject as text, without those that note only which messages have come, and without ids and traces of
// the rows themselves.
func rowsAbout(t *testing.T, db *postgres.DB, about Subject, numbers []string) (all []string) {
	t.Helper()
	texts := func(sql string, args ...any) []string {
		rows, err := db.Query(t.Context(), sql, args...)
		if err != nil {
			t.Fatal(err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, table := range texts(`
		SELECT relname::text
		FROM pg_class
		WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname !~ '^(inbox|goose)'
		ORDER BY relname`) {
		different := append([]string{"id", "trace_parent", "trace_state"}, numbers...)
		if table == "outbox" { // times of the database's clock
			different = append(different, "created_at", "due_at")
		}
		for _, row := range texts(`
			SELECT (to_jsonb(r) - $3::text[])::text AS row
			FROM `+pgx.Identifier{table}.Sanitize()+` AS r
			WHERE strpos(r::text, $1) > 0 OR strpos(r::text, $2) > 0
			ORDER BY row`, about.Order, about.SKU, different) {
			all = append(all, table+" "+row)
		}
	}
	return all
}
