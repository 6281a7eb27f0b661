package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/system"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// victim is a service that dies again and again.
type victim struct {
	*stories.Client
	service  string
	database string
	part     *system.Part
	file     string   // see wanted
	sku      string   // of a product that only its own orders ask for
	scarce   []string // products that its backorders have to wait for, one for each
	never    string   // a product that there is nothing of
	death             // that is being died
	died     int
	orders   []*order // all that it has had placed
}

func newVictim(t *testing.T, s *system.System, service string) *victim {
	t.Helper()
	part := s.Program(service, 1)
	dir := filepath.Dir(filepath.Dir(part.LogFile()))
	c := stories.New(t, world(s))
	v := &victim{Client: c, service: service, database: s.DatabaseURL(service), part: part, file: wanted(dir, service), sku: c.Product(10_000, 0, 0), never: c.Product(0, 0, 0)}
	for _, d := range deaths[service] {
		if d.story == backordered {
			v.scarce = append(v.scarce, c.Product(0, 0, 10))
		}
	}
	for _, sku := range v.scarce { // the supplier is asked for the first ones at once
		stories.Until(c, sku+" has come", func() bool { return c.Available(sku) == 10 })
	}
	return v
}

// dieAll has the service die all its deaths, and returns when all orders that were placed meanwhile are accepted.
func (v *victim) dieAll() {
	v.Helper()
	for _, v.death = range deaths[v.service] {
		v.story.tell(v)
		v.dead()
		v.revive()
	}
	for _, o := range v.orders {
		v.id(o)
	}
}

// arm tells the service to die.
func (v *victim) arm() {
	v.Helper()
	if err := os.WriteFile(v.file, []byte(v.trail), 0o600); err != nil {
		v.Fatal(err)
	}
}

// dead waits until the service has died where it was told to.
func (v *victim) dead() {
	v.Helper()
	stories.Until(v, v.service+" has died after "+v.trail, v.isDead)
	if _, err := os.Stat(v.file); !errors.Is(err, os.ErrNotExist) {
		v.Fatalf("%s has died before it came to %s: %v", v.service, v.trail, err)
	}
}

func (v *victim) isDead() bool { return v.part.State() == "stopped" }

// deadBefore waits until the service has died, or something holds of all orders without that.
func (v *victim) deadBefore(holds func(stories.Tracking) bool, orders ...*order) bool {
	v.Helper()
	stories.Until(v, v.service+" has died, or its orders have gone on", func() bool {
		return v.isDead() || !slices.ContainsFunc(orders, func(o *order) bool {
			select {
			case <-o.accepted:
			default:
				return true
			}
			t, found := v.Look(o.id)
			return !found || !holds(t)
		})
	})
	return v.isDead()
}

// revive starts the service again after its death.
func (v *victim) revive() {
	v.Helper()
	if err := v.part.Start(v.Context()); err != nil {
		v.Fatal(err)
	}
	v.died++
}

// busy has the shop put units of a product on the shelf, many times at once, until stop is called: inventory's only requests
// that are decided together with others. Each comes again until it is answered.
func (v *victim) busy() (stop func()) {
	if v.service != "inventory" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(v.Context())
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			for key := uuid.NewString(); ctx.Err() == nil; {
				a, err := v.Call("olga", http.MethodPost, "/api/products/"+v.sku+"/stock", `{"add":1}`, "Idempotency-Key", key)
				if err == nil && a.Status/100 == 2 {
					key = uuid.NewString()
				}
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// order is an order under way while a service dies.
type order struct {
	death
	service  string
	ends     []string      // how it may end
	accepted chan struct{} // closed when id is known
	id       string
}

func (o *order) String() string {
	return fmt.Sprintf("%s died after %q with order %s (%s) under way", o.service, o.trail, o.id, o.story.name)
}

// place has an order placed by a customer who does not give up: with the same key, until it is accepted. It does not wait
// for that, as it may be what the service dies of.
func (v *victim) place(w stories.Wish) *order {
	o := &order{death: v.death, service: v.service, ends: []string{v.story.end}, accepted: make(chan struct{})}
	v.orders = append(v.orders, o)
	key, ctx := uuid.NewString(), v.Context()
	go func() {
		for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			var body struct{ ID string }
			a, err := v.Call("alice", http.MethodPost, "/api/orders", w.JSON(), "Idempotency-Key", key)
			if err == nil && a.Status == http.StatusAccepted && json.Unmarshal(a.Body, &body) == nil {
				o.id = body.ID
				close(o.accepted)
				return
			}
		}
	}()
	return o
}

// id is an order's id, once it is accepted.
func (v *victim) id(o *order) string {
	v.Helper()
	stories.Until(v, "an order is accepted", func() bool {
		select {
		case <-o.accepted:
			return true
		default:
			return false
		}
	})
	return o.id
}

// cancel has an order cancelled, unless it is too late. One that was to be cancelled may be delivered all the same: the
// carrier may be faster.
func (v *victim) cancel(o *order) (accepted bool) {
	v.Helper()
	stories.Until(v, "a cancellation is answered", func() bool {
		a, err := v.Cancel(o.id)
		accepted = err == nil && a.Status == http.StatusAccepted
		return accepted || err == nil && a.Status == http.StatusConflict
	})
	if accepted {
		o.ends = []string{"cancelled", "delivered"}
	}
	return accepted
}

// unrecorded reports whether the provider or the carrier has done something for an order, and the service does not know.
func (v *victim) unrecorded(o *order) bool {
	v.Helper()
	look := map[string]struct{ outside, inside string }{
		"payments": {"/provider/charges", `SELECT status FROM payments WHERE order_id = $1`},
		"shipping": {"/carrier/shipments", `SELECT status FROM shipments WHERE order_id = $1`},
	}[v.service]
	r, err := http.NewRequestWithContext(v.Context(), http.MethodGet, v.Simulator+look.outside+"?key="+o.id, nil)
	if err != nil {
		v.Fatal(err)
	}
	a, err := stories.Send(r)
	if err != nil {
		v.Fatal(err)
	}
	var found struct{ Items []json.RawMessage }
	a.Into(v, &found)
	if len(found.Items) == 0 {
		return false
	}
	var status string
	v.ask(func(ctx context.Context, db *pgx.Conn) error {
		return db.QueryRow(ctx, look.inside, o.id).Scan(&status)
	})
	return status == "requested"
}

// change changes the service's database.
func (v *victim) change(sql string) {
	v.Helper()
	v.ask(func(ctx context.Context, db *pgx.Conn) error {
		_, err := db.Exec(ctx, sql)
		return err
	})
}

func (v *victim) ask(what func(ctx context.Context, db *pgx.Conn) error) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.Context(), time.Minute)
	defer cancel()
	db, err := pgx.Connect(ctx, v.database)
	if err != nil {
		v.Fatal(err)
	}
	defer db.Close(ctx) //nolint:errcheck // it has done what it was for
	if err := what(ctx, db); err != nil {
		v.Fatal(err)
	}
}
