package operator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
)

// letter is a dead letter as the API shows it.
type letter struct {
	ID        string
	Service   string
	Queue     string
	Kind      string
	MessageID string    `json:"message_id"`
	Died      time.Time `json:"last_failed_at"`
	Error     string
}

// trapped reports whether a mistake has made the letter. The others are unreadable.
func (l letter) trapped() bool { return strings.Contains(l.Error, trapped) }

// mistake makes dead letters of orders with a certain quantity: the database of the queue's owner refuses an operation.
type mistake struct {
	queue            string
	quantity         int
	operation, table string
	when             string
}

// mistakes has one for each queue that orders need. The product costs 10.00, so that an amount shows the quantity, too.
var mistakes = []mistake{
	{"inventory.commands", 1, "INSERT", "reservation_lines", `NEW.quantity = 1`},
	{"payments.commands", 2, "INSERT", "payments", `NEW.amount = 2000`},
	{"shipping.commands", 3, "INSERT", "shipments", `NEW.lines::text LIKE '%"quantity": 3%'`},
	{"orders.events", 4, "UPDATE", "orders", `NEW.total_amount = 4000 AND NEW.status = 'paid' AND OLD.status = 'reserved'`},
	{"inventory.events", 5, "INSERT", "stock_movements", `NEW.what = 'taken' AND NEW.quantity = -5`},
}

const (
	ofEach   = 6  // orders that each mistake affects
	poisoned = 10 // unreadable messages that are put there by hand
)

// Every letter is replayed and handled once, or discarded once, and each action is recorded once, even if parts are killed
// meanwhile. The operator is a person with curl: they repeat a request without a good answer, and a 404 then means that it was
// done.
func TestDeadLettersAreReplayedAndDiscardedOnceWhateverIsKilled(t *testing.T) {
	t.Parallel()
	o := open(t, map[string][]string{
		"simulator": {"CARRIER_PACE=300ms"},
		// No command is sent again before the operator has acted.
		"orders": {"STEP_TIMEOUT=1h", "TIMEOUT_TRIES=20"},
	})
	for _, m := range mistakes {
		o.trap(owner(m.queue), m.operation, m.table, m.when)
	}
	sku := o.Product(1000, 0, 0)
	var orders []string
	for range ofEach {
		for _, m := range mistakes {
			orders = append(orders, o.Place(stories.Wish{SKU: sku, Quantity: m.quantity}))
		}
	}
	stories.Poison(o, o.Broker.URL, poisoned)
	dead := o.gather(ofEach*len(mistakes) + poisoned)

	// A replay before the mistake is fixed fails again, and is recorded as an action of its own.
	inVain := map[string]int{} // by letter
	for _, m := range mistakes {
		l := dead[slices.IndexFunc(dead, func(l letter) bool { return l.Queue == m.queue && l.trapped() })]
		o.insist(&operation{letter: l, action: "replay", before: map[string]int{}})
		stories.Until(t, l.ID+" has died again", func() bool {
			all, err := o.list()
			return err == nil && slices.ContainsFunc(all, func(a letter) bool { return a.ID == l.ID && a.Died.After(l.Died) })
		})
		inVain[l.ID] = o.written(l, "replay")
	}

	for _, service := range []string{"inventory", "payments", "shipping", "orders"} {
		o.mend(service)
	}
	operations := decide(dead)
	o.underFire(operations)

	left, err := o.list()
	if err != nil || len(left) > 0 {
		t.Errorf("after all was done, %d letters are there: %v %+v", len(left), err, left)
	}
	o.verify(operations, inVain)
	for _, id := range orders {
		o.hurry(id) // a discarded command is sent again
	}
	for _, id := range orders {
		if end := o.End(id); end.Status != "delivered" {
			t.Errorf("order %s is %s (%s)", id, end.Status, end.Reason)
		}
	}
	o.audited(orders)
}

func owner(queue string) string {
	service, _, _ := strings.Cut(queue, ".")
	return service
}

func path(l letter, action string) string {
	return "/api/operations/dead-letters/" + l.ID + "/" + action
}

// gather waits until there are n dead letters.
func (o office) gather(n int) (all []letter) {
	o.Helper()
	stories.Until(o, fmt.Sprintf("%d messages are dead", n), func() bool {
		var err error
		all, err = o.list()
		return err == nil && len(all) == n
	})
	return all
}

// list returns all dead letters. An incomplete list is an error.
func (o office) list() ([]letter, error) {
	a, err := o.Call("olga", http.MethodGet, "/api/operations/dead-letters?limit=200", "")
	if err != nil {
		return nil, err
	}
	var page struct {
		Items   []letter
		Total   int
		Missing []string
	}
	if err := json.Unmarshal(a.Body, &page); err != nil || a.Status != http.StatusOK || len(page.Missing) > 0 || page.Total != len(page.Items) {
		return nil, fmt.Errorf("not a whole list: %d %.300s %w", a.Status, a.Body, err)
	}
	return page.Items, nil
}

// verify checks in the databases what has become of each letter.
func (o office) verify(operations []*operation, inVain map[string]int) {
	o.Helper()
	for _, op := range operations {
		for action, want := range map[string]int{op.action: 1, other(op.action): 0} {
			if action == "replay" {
				want += inVain[op.ID]
			}
			if n := o.written(op.letter, action); n != want {
				o.Errorf("%s of %s is written down %d times, want %d", action, op.ID, n, want)
			}
		}
		want := map[string]int{"replay": 1, "discard": 0}[op.action]
		stories.Until(o, fmt.Sprintf("%s has had %d effects, after %s", op.ID, want, op), func() bool {
			return o.count(op.Service, `SELECT count(*) FROM inbox WHERE id = $1`, op.MessageID) == want
		})
	}
}

// written is how many actions of olga on a letter are recorded.
func (o office) written(l letter, action string) int {
	o.Helper()
	return o.count(l.Service, `SELECT count(*) FROM dead_letter_audit WHERE message_id = $1 AND action = $2 AND operator = 'olga'`, l.MessageID, action)
}

func other(action string) string {
	if action == "replay" {
		return "discard"
	}
	return "replay"
}
