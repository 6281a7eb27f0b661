package e2e

import (
	"net/http"
	"slices"
	"testing"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/laboratory"
	"example.com/orderflow/local/system"
)

// lab is what the laboratory's API says.
type lab struct {
	Scene  *struct{ Name string }
	Faults struct {
		Carrier struct{ Down bool }
	}
	Customers struct {
		Coming           bool
		Placed, Accepted int
	}
	Programs []struct{ Name, State string }
	Scenes   []struct{ Name string }
	Missing  []string
}

func (b lab) state(part string) string {
	for _, p := range b.Programs {
		if p.Name == part {
			return p.State
		}
	}
	return "unknown"
}

// Each scene is played through the public API, as an operator does it. It has its effect, ends by itself, and leaves the books as
// they should be.
func TestScenesOfTheLaboratoryEndByThemselvesAndLeaveTheBooksClean(t *testing.T) {
	t.Parallel()
	desk, err := laboratory.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	env := map[string][]string{"bff-web": desk.Env(), "simulator": settings["simulator"], "orders": settings["orders"]}
	s := start(t, system.Each(1), env)
	t.Cleanup(desk.Close) // before the system stops
	desk.Serve(s)
	c := stories.New(t, world(s))
	look := func() (b lab) {
		c.Must(http.StatusOK, "olga", http.MethodGet, "/api/laboratory", "").Into(t, &b)
		return b
	}
	play := func(t *testing.T, name string) {
		t.Helper()
		c.Must(http.StatusAccepted, "olga", http.MethodPost, "/api/laboratory/scenes/"+name, "")
		if b := look(); b.Scene == nil || b.Scene.Name != name || len(b.Missing) > 0 {
			t.Errorf("after the start of %s: %+v", name, b)
		}
	}
	over := func(t *testing.T, orders int) {
		t.Helper()
		stories.Until(t, "the scene is over", func() bool {
			b := look()
			return b.Scene == nil && !b.Customers.Coming && !slices.ContainsFunc(b.Programs, func(p struct{ Name, State string }) bool { return p.State != "running" })
		})
		if b := look(); b.Customers.Placed != orders || b.Customers.Accepted != orders {
			t.Errorf("%d customers were to come: %+v", orders, b.Customers)
		}
		audited(t, s)
	}

	t.Run("ten kettles are sold ten times", func(t *testing.T) {
		play(t, "ten-kettles")
		over(t, 200)
		if left := c.Available("LAB-KETTLE"); left != 0 {
			t.Errorf("%d kettles are left", left)
		}
	})
	t.Run("payments dies and comes back", func(t *testing.T) {
		play(t, "payments-dies")
		stories.Until(t, "payments is away", func() bool { return look().state("payments-1") == "stopped" })
		over(t, 100)
	})
	t.Run("a mistake is corrected before a message is given up", func(t *testing.T) {
		play(t, "mistake")
		over(t, 20)
	})
	t.Run("a poison message waits for a person", func(t *testing.T) {
		play(t, "poison")
		var dead struct {
			Items []struct{ ID, Kind, Reason string }
		}
		stories.Until(t, "the message was given up", func() bool {
			c.Must(http.StatusOK, "olga", http.MethodGet, "/api/operations/dead-letters", "").Into(t, &dead)
			return len(dead.Items) == 1
		})
		if d := dead.Items[0]; d.Kind != "payments.take_payment" || d.Reason != "rejected" {
			t.Errorf("%+v", d)
		}
		c.Must(http.StatusNoContent, "olga", http.MethodPost, "/api/operations/dead-letters/"+dead.Items[0].ID+"/discard", `{"reason":"it came from the laboratory"}`)
		over(t, 0)
	})
	t.Run("faults that were set by hand end, too", func(t *testing.T) {
		c.Must(http.StatusOK, "olga", http.MethodPut, "/api/laboratory/faults", `{"carrier":{"down":true},"for":"3s"}`)
		if !look().Faults.Carrier.Down {
			t.Error("the carrier is well")
		}
		id := c.Place(stories.Wish{SKU: c.Product(1, 0, 0)})
		c.Reach(id, "paid")
		if end := c.End(id); end.Status != "delivered" {
			t.Errorf("%+v", end)
		}
		audited(t, s, id)
	})
}

// Shoppers have no laboratory, and where there is no supervisor nobody can stop anything.
func TestTheLaboratoryIsForOperatorsAndWithoutASupervisorItStopsNothing(t *testing.T) {
	t.Parallel()
	c := stories.New(t, world(together(t)))
	c.Must(http.StatusForbidden, "alice", http.MethodGet, "/api/laboratory", "")
	c.Must(http.StatusUnauthorized, "", http.MethodGet, "/api/laboratory", "")
	c.Must(http.StatusNotFound, "olga", http.MethodPost, "/api/laboratory/programs/payments/kill", "")
	c.Must(http.StatusNotFound, "olga", http.MethodPost, "/api/laboratory/poison", "")
	c.Must(http.StatusNotFound, "olga", http.MethodPost, "/api/laboratory/mistake", "")
	c.Must(http.StatusNotFound, "olga", http.MethodPost, "/api/laboratory/scenes/payments-dies", "")
	c.Must(http.StatusUnprocessableEntity, "olga", http.MethodPut, "/api/laboratory/customers", `{"rate":21}`)
}
