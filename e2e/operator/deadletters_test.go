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

// trapped reports whether a mistake has made it. The others cannot be read.
func (l letter) trapped() bool { return strings.Contains(l.Error, trapped) }

// mistake makes dead letters of orders for a certain quantity: the database of a queue's owner refuses a deed.
type mistake struct {
	queue       string
	quantity    int
	deed, table string
	when        string
}

// mistakes are one for each queue that orders need. A thing costs 10.00, so that an amount tells the quantity, too.
var mistakes = []mistake{
	{"inventory.commands", 1, "INSERT", "reservation_lines", `NEW.quantity = 1`},
	{"payments.commands", 2, "INSERT", "payments", `NEW.amount = 2000`},
	{"shipping.commands", 3, "INSERT", "shipments", `NEW.lines::text LIKE '%"quantity": 3%'`},
	{"orders.events", 4, "UPDATE", "orders", `NEW.total_amount = 4000 AND NEW.status = 'paid' AND OLD.status = 'reserved'`},
	{"inventory.events", 5, "INSERT", "stock_movements", `NEW.what = 'taken' AND NEW.quantity = -5`},
}

const (
	ofEach   = 6  // orders that each mistake is made with
	poisoned = 10 // messages that nobody can read, put there by hand
)

// Every letter is replayed and handled once, or discarded once, and each operation is written down once, whoever is killed while
// it is done. The operator is a person with curl: what got no good answer he does again, and 404 then means that it was done.
func TestDeadLettersAreReplayedAndDiscardedOnceWhoeverIsKilled(t *testing.T) {
	t.Parallel()
	o := open(t, map[string][]string{
		"simulator": {"CARRIER_PACE=300ms"},
		// Nothing is asked for again until the operator has done his part.
		"orders": {"STEP_TIMEOUT=1h", "TIMEOUT_TRIES=20"},
	})
	for _, m := range mistakes {
		o.trap(owner(m.queue), m.deed, m.table, m.when)
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

	// To replay before the mistake is mended is in vain, and a decision of its own.
	inVain := map[string]int{} // by letter
	for _, m := range mistakes {
		l := dead[slices.IndexFunc(dead, func(l letter) bool { return l.Queue == m.queue && l.trapped() })]
		o.insist(&deed{letter: l, action: "replay", before: map[string]int{}})
		stories.Until(t, l.ID+" has died again", func() bool {
			all, err := o.list()
			return err == nil && slices.ContainsFunc(all, func(a letter) bool { return a.ID == l.ID && a.Died.After(l.Died) })
		})
		inVain[l.ID] = o.written(l, "replay")
	}

	for _, service := range []string{"inventory", "payments", "shipping", "orders"} {
		o.mend(service)
	}
	deeds := decide(dead)
	o.underFire(deeds)

	left, err := o.list()
	if err != nil || len(left) > 0 {
		t.Errorf("after all was done, %d letters are there: %v %+v", len(left), err, left)
	}
	o.verify(deeds, inVain)
	for _, id := range orders {
		o.hurry(id) // what was discarded is asked for again
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

func path(l letter, deed string) string {
	return "/api/operations/dead-letters/" + l.ID + "/" + deed
}

// gather waits until there are so many dead letters.
func (o office) gather(n int) (all []letter) {
	o.Helper()
	stories.Until(o, fmt.Sprintf("%d messages are dead", n), func() bool {
		var err error
		all, err = o.list()
		return err == nil && len(all) == n
	})
	return all
}

// list is all dead letters. A list that is not whole is an error.
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

// verify looks into the databases for what has become of each letter.
func (o office) verify(deeds []*deed, inVain map[string]int) {
	o.Helper()
	for _, d := range deeds {
		for action, want := range map[string]int{d.action: 1, other(d.action): 0} {
			if action == "replay" {
				want += inVain[d.ID]
			}
			if n := o.written(d.letter, action); n != want {
				o.Errorf("%s of %s is written down %d times, want %d", action, d.ID, n, want)
			}
		}
		want := map[string]int{"replay": 1, "discard": 0}[d.action]
		stories.Until(o, fmt.Sprintf("%s has had %d effects, after %s", d.ID, want, d), func() bool {
			return o.count(d.Service, `SELECT count(*) FROM inbox WHERE id = $1`, d.MessageID) == want
		})
	}
}

// written is how often it is written down that olga has done something about a letter.
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
