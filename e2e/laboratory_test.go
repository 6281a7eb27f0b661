package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
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
	Orders   map[string]int // under way, by status
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

// still reports whether all is over: the scene, its customers and their orders, and every part is back.
func (b lab) still() bool {
	away := slices.ContainsFunc(b.Programs, func(p struct{ Name, State string }) bool { return p.State != "running" })
	under := 0
	for _, n := range b.Orders {
		under += n
	}
	return b.Scene == nil && !b.Customers.Coming && !away && under == 0 && len(b.Missing) == 0
}

// stage is a system with a laboratory of its own, and an operator in it.
type stage struct {
	*stories.Client
	system *system.System
}

func openStage(t *testing.T) stage {
	desk, err := laboratory.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	env := map[string][]string{"bff-web": desk.Env(), "simulator": settings["simulator"], "orders": settings["orders"]}
	s := start(t, system.Each(1), env)
	t.Cleanup(desk.Close) // before the system stops
	desk.Serve(s)
	return stage{stories.New(t, world(s)), s}
}

func (s stage) look() (b lab) {
	s.Must(http.StatusOK, "olga", http.MethodGet, "/api/laboratory", "").Into(s, &b)
	return b
}

// sees waits until the laboratory shows something.
func (s stage) sees(t *testing.T, what string, holds func(lab) bool) {
	t.Helper()
	stories.Until(t, what, func() bool { return holds(s.look()) })
}

// gather waits until so many orders are in a status at the same time.
func (s stage) gather(t *testing.T, status string, orders int) {
	t.Helper()
	s.sees(t, fmt.Sprintf("%d orders are %s", orders, status), func(b lab) bool { return b.Orders[status] >= orders })
}

// measures waits until one of a program's metrics with these labels is above zero. A program that is away has none.
func (s stage) measures(t *testing.T, program, name string, labels ...string) {
	t.Helper()
	stories.Until(t, fmt.Sprintf("%s has %s %v", program, name, labels), func() bool {
		a, err := stories.Send(t.Context(), http.MethodGet, s.system.Program(program, 1).URL+"/metrics", "")
		if err != nil {
			return false
		}
		for line := range strings.Lines(string(a.Body)) {
			has := func(label string) bool { return strings.Contains(line, label) }
			if strings.HasPrefix(line, name) && !strings.HasSuffix(line, " 0\n") && !slices.ContainsFunc(labels, func(l string) bool { return !has(l) }) {
				return true
			}
		}
		return false
	})
}

// end ends the faults and the customers of a scene before its time, as the button of the page does.
func (s stage) end() {
	s.Must(http.StatusOK, "olga", http.MethodPut, "/api/laboratory/faults", `{}`)
	s.Must(http.StatusOK, "olga", http.MethodPut, "/api/laboratory/customers", `{"rate":0}`)
}

func (s stage) deadLetters() (items []struct{ ID, Kind, Reason, Subject string }) {
	dead := struct {
		Items *[]struct{ ID, Kind, Reason, Subject string }
	}{&items}
	s.Must(http.StatusOK, "olga", http.MethodGet, "/api/operations/dead-letters", "").Into(s, &dead)
	return items
}

// plays has what each scene promises. A scene of the list that is not here fails the test. Scenes that last long are ended when
// what they promise has been seen, except for those whose part has to come back.
var plays = map[string]struct {
	orders int // customers who come; all of their orders are accepted
	sees   func(t *testing.T, s stage)
}{
	"bank-silent": {50, func(t *testing.T, s stage) {
		s.gather(t, "reserved", 40)
		s.measures(t, "payments", "client_breaker_open{")
		s.sees(t, "all have ordered", func(b lab) bool { return !b.Customers.Coming })
		s.Must(http.StatusOK, "olga", http.MethodPut, "/api/laboratory/faults", `{}`)
	}},
	"ten-kettles": {200, func(t *testing.T, s stage) {
		s.sees(t, "all have ordered", func(b lab) bool { return b.Customers.Placed == 200 })
		stories.Until(t, "ten kettles are sold", func() bool { return s.Available("LAB-KETTLE") == 0 })
		stories.Until(t, "there are none in the shop after that", func() bool {
			var p struct{ Retired bool }
			s.Must(http.StatusOK, "", http.MethodGet, "/api/products/LAB-KETTLE", "").Into(s, &p)
			return p.Retired
		})
	}},
	"carrier-back": {60, func(t *testing.T, s stage) {
		s.gather(t, "paid", 50) // another scene may have left little of a product
		s.Must(http.StatusOK, "olga", http.MethodPut, "/api/laboratory/faults", `{}`)
	}},
	"bad-day": {0, func(t *testing.T, s stage) {
		for _, outcome := range []string{"503", "reset"} {
			s.measures(t, "simulator", "simulator_answers_total", `route="POST /provider/charges"`, `outcome="`+outcome+`"`)
			s.measures(t, "simulator", "simulator_answers_total", `route="POST /carrier/shipments"`, `outcome="`+outcome+`"`)
		}
		s.sees(t, "forty have ordered", func(b lab) bool { return b.Customers.Accepted >= 40 })
		s.end()
	}},
	"poison": {0, func(t *testing.T, s stage) {
		stories.Until(t, "the message was given up", func() bool { return len(s.deadLetters()) == 1 })
		d := s.deadLetters()[0]
		if d.Kind != "payments.take_payment" || d.Reason != "rejected" || d.Subject != laboratory.PoisonSubject {
			t.Errorf("%+v", d)
		}
		s.Must(http.StatusNoContent, "olga", http.MethodPost, "/api/operations/dead-letters/"+d.ID+"/discard", `{"reason":"it came from the laboratory"}`)
	}},
	"mistake": {20, func(t *testing.T, s stage) {
		s.gather(t, "reserved", 15)
		s.measures(t, "payments", "bus_handled_total", `outcome="retry"`)
	}},
	"payments-dies": {100, func(t *testing.T, s stage) {
		s.sees(t, "payments is away", func(b lab) bool { return b.state("payments-1") == "stopped" })
		s.gather(t, "reserved", 40)
	}},
	"rabbitmq-restarts": {100, func(t *testing.T, s stage) {
		s.sees(t, "RabbitMQ is away", func(b lab) bool { return b.state("rabbitmq") == "stopped" })
		s.measures(t, "orders", "outbox_due ")
	}},
}

// Each scene is played through the public API, as an operator does it. It has its effect, its orders end, every part comes back, and
// the books are as they should be.
func TestEverySceneDoesWhatItPromisesAndLeavesTheBooksClean(t *testing.T) {
	t.Parallel()
	s := openStage(t)
	unplayed := maps.Clone(plays)
	for _, scene := range s.look().Scenes {
		play, known := unplayed[scene.Name]
		if delete(unplayed, scene.Name); !known {
			t.Errorf("nobody plays the scene %s", scene.Name)
			continue
		}
		t.Run(scene.Name, func(t *testing.T) {
			s.Must(http.StatusAccepted, "olga", http.MethodPost, "/api/laboratory/scenes/"+scene.Name, "")
			if b := s.look(); b.Scene == nil || b.Scene.Name != scene.Name || len(b.Missing) > 0 {
				t.Errorf("after the start of %s: %+v", scene.Name, b)
			}
			play.sees(t, s)
			s.sees(t, "all is over", lab.still)
			if c := s.look().Customers; play.orders > 0 && (c.Placed != play.orders || c.Accepted != play.orders) {
				t.Errorf("%d customers were to come: %+v", play.orders, c)
			}
			if dead := s.deadLetters(); len(dead) > 0 {
				t.Errorf("dead letters are left: %v", dead)
			}
			audited(t, s.system)
		})
	}
	for name := range unplayed {
		t.Errorf("there is no scene %s", name)
	}
}

func TestFaultsThatWereSetByHandEndByThemselves(t *testing.T) {
	t.Parallel()
	s := openStage(t)
	s.Must(http.StatusOK, "olga", http.MethodPut, "/api/laboratory/faults", `{"carrier":{"down":true},"for":"3s"}`)
	if !s.look().Faults.Carrier.Down {
		t.Error("the carrier is well")
	}
	id := s.Place(stories.Wish{SKU: s.Product(1, 0, 0)})
	s.Reach(id, "paid")
	if end := s.End(id); end.Status != "delivered" {
		t.Errorf("%+v", end)
	}
	audited(t, s.system, id)
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
