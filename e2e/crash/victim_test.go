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
	"example.com/orderflow/local/shop"
	"example.com/orderflow/local/system"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// victim is a service that crashes again and again.
type victim struct {
	*stories.Client
	stubborn *shop.Client // alice, who repeats her order until it is accepted
	service  string
	database string
	part     *system.Part
	file     string   // the file that tells it to crash: see wanted
	sku      string   // of a product that only its own orders need
	scarce   []string // products that its backorders have to wait for, one for each
	never    string   // a product without stock
	death             // the present one
	died     int
	orders   []*order // all orders that were placed for it
}

func newVictim(t *testing.T, s *system.System, service string) *victim {
	t.Helper()
	part := s.Program(service, 1)
	dir := filepath.Dir(filepath.Dir(part.LogFile()))
	c := stories.New(t, world(s))
	stubborn := &shop.Client{Gateway: c.Gateway, ID: "alice", Secret: "demo", Again: func(int, error) (time.Duration, bool) { return 50 * time.Millisecond, true }}
	v := &victim{Client: c, stubborn: stubborn, service: service, database: s.DatabaseURL(service), part: part, file: wanted(dir, service), sku: c.Product(10_000, 0, 0), never: c.Product(0, 0, 0)}
	for _, d := range deaths[service] {
		if d.story == backordered {
			v.scarce = append(v.scarce, c.Product(0, 0, 10))
		}
	}
	for _, sku := range v.scarce { // the first units are ordered from the supplier at once
		stories.Until(c, sku+" has come", func() bool { return c.Available(sku) == 10 })
	}
	return v
}

// dieAll makes the service crash in all ways, and returns when all orders that were placed meanwhile are accepted.
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

// arm tells the service where to crash.
func (v *victim) arm() {
	v.Helper()
	if err := os.WriteFile(v.file, []byte(v.trail), 0o600); err != nil {
		v.Fatal(err)
	}
}

// dead waits until the service has crashed at the given point.
func (v *victim) dead() {
	v.Helper()
	stories.Until(v, v.service+" has died after "+v.trail, v.isDead)
	if _, err := os.Stat(v.file); !errors.Is(err, os.ErrNotExist) {
		v.Fatalf("%s has died before it came to %s: %v", v.service, v.trail, err)
	}
}

func (v *victim) isDead() bool { return v.part.State() == "stopped" }

// deadBefore waits until the service has crashed, or a condition holds for all orders without a crash.
func (v *victim) deadBefore(holds func(shop.Tracking) bool, orders ...*order) bool {
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

// revive starts the service again after its crash.
func (v *victim) revive() {
	v.Helper()
	if err := v.part.Start(v.Context()); err != nil {
		v.Fatal(err)
	}
	v.died++
}

// busy adds units of a product to the stock, with many concurrent requests, until stop is called: only these requests of
// inventory are decided together. Each is retried until it is answered.
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

// order is an order that is under way while a service crashes.
type order struct {
	death
	service  string
	ends     []string      // the possible final statuses
	accepted chan struct{} // closed when id is known
	id       string
}

func (o *order) String() string {
	return fmt.Sprintf("%s died after %q with order %s (%s) under way", o.service, o.trail, o.id, o.story.name)
}

// place places an order, and retries with the same key until it is accepted. It does not wait for that, because accepting the
// order may be what crashes the service.
func (v *victim) place(w stories.Wish) *order {
	o := &order{death: v.death, service: v.service, ends: []string{v.story.end}, accepted: make(chan struct{})}
	v.orders = append(v.orders, o)
	go func() {
		if placed, err := v.stubborn.Place(v.Context(), uuid.NewString(), w.Order()); err == nil {
			o.id = placed.ID
			close(o.accepted)
		}
	}()
	return o
}

// id waits until an order is accepted, and returns its id.
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

// cancel cancels an order, unless it is too late. Even after that the order may be delivered, because the carrier may be
// faster.
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

// unrecorded reports whether the provider or the carrier has done something for an order that the service has not recorded.
func (v *victim) unrecorded(o *order) bool {
	v.Helper()
	look := map[string]struct{ outside, inside string }{
		"payments": {"/provider/charges", `SELECT status FROM payments WHERE order_id = $1`},
		"shipping": {"/carrier/shipments", `SELECT status FROM shipments WHERE order_id = $1`},
	}[v.service]
	a, err := stories.Send(v.Context(), http.MethodGet, v.Simulator+look.outside+"?key="+o.id, "")
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

// change executes SQL in the service's database.
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
	defer db.Close(ctx) //nolint:errcheck // it is no longer needed
	if err := what(ctx, db); err != nil {
		v.Fatal(err)
	}
}
