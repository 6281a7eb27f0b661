package laboratory

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/health"
)

// ailment is what is wrong with a party outside. The zero value is nothing.
type ailment struct {
	Latency   string  `json:"latency,omitempty"`
	Jitter    string  `json:"jitter,omitempty"`
	Errors    float64 `json:"error_rate,omitempty"`
	Ambiguous float64 `json:"ambiguous_rate,omitempty"`
	Down      bool    `json:"down,omitempty"`
}

// ailments are the faults of the parties outside.
type ailments struct {
	Provider ailment   `json:"provider"`
	Carrier  ailment   `json:"carrier"`
	Supplier ailment   `json:"supplier"`
	For      string    `json:"for,omitempty"`  // how long, when they are set
	Until    time.Time `json:"until,omitzero"` // until when, when they are read
	Note     string    `json:"note,omitempty"` // the name of the scene that they belong to
}

// crowd is the customers who come.
type crowd struct {
	Rate   float64            `json:"rate"`
	For    string             `json:"for,omitempty"`
	Orders int                `json:"orders,omitempty"`
	SKU    string             `json:"sku,omitempty"`
	Mix    map[string]float64 `json:"mix,omitempty"`
}

// rush is the customers who came last, and what became of them.
type rush struct {
	crowd
	Open     bool      `json:"open"`
	Coming   bool      `json:"coming"`
	Until    time.Time `json:"until,omitzero"`
	Placed   int       `json:"placed"`
	Accepted int       `json:"accepted"`
	Refused  int       `json:"refused"`
	GaveUp   int       `json:"gave_up"`
}

// Waiting returns how many customers wait for an answer.
func (r rush) Waiting() int { return r.Placed - r.Accepted - r.Refused - r.GaveUp }

// machine is a program or a server of the supervisor.
type machine struct {
	Name    string    `json:"name"`
	State   string    `json:"state"`
	Actions []string  `json:"actions"`
	Back    time.Time `json:"back,omitzero"`
}

// bench is the state of the laboratory. What could not be read is nil, and Missing has its name.
type bench struct {
	Scene     *scene         `json:"scene"` // that is under way
	Until     *time.Time     `json:"scene_until"`
	Faults    *ailments      `json:"faults"`
	Pace      string         `json:"pace,omitempty"`
	Customers *rush          `json:"customers"`
	Orders    map[string]int `json:"orders"`             // under way, by status
	Programs  []machine      `json:"programs,omitempty"` // none where no supervisor is
	Scenes    []scene        `json:"scenes"`
	Missing   []string       `json:"missing"`

	errs map[string]error
}

// state reads the state of the laboratory.
func (l *Laboratory) state(ctx context.Context) bench {
	b := bench{Scenes: l.scenes(), Missing: []string{}, errs: map[string]error{}}
	var pace struct {
		Pace string `json:"pace"`
	}
	var machines struct {
		Items []machine `json:"items"`
	}
	var worldErr, deskErr error
	var asking sync.WaitGroup
	asking.Go(func() {
		worldErr = errors.Join(
			l.tellWorld(ctx, http.MethodGet, "/faults", nil, &b.Faults),
			l.tellWorld(ctx, http.MethodGet, "/carrier/pace", nil, &pace),
			l.tellWorld(ctx, http.MethodGet, "/customers", nil, &b.Customers),
		)
	})
	if l.desk != nil {
		asking.Go(func() { deskErr = l.askDesk(ctx, http.MethodGet, "/parts", nil, &machines) })
	}
	asking.Wait()
	if b.Pace, b.Programs = pace.Pace, machines.Items; worldErr != nil {
		b.Faults, b.Customers, b.Pace = nil, nil, ""
		b.Missing, b.errs["simulator"] = append(b.Missing, "simulator"), worldErr
	}
	if deskErr != nil {
		b.Missing, b.errs["programs"] = append(b.Missing, "programs"), deskErr
	}
	if f := b.Faults; f != nil && !f.Until.IsZero() {
		if found := l.scene(f.Note); found != nil {
			b.Scene, b.Until = found, &f.Until
		}
	}
	return b
}

// bench reads the state of the laboratory, and how many orders are under way.
func (s *Pages) bench(ctx context.Context) bench {
	var orders map[string]int
	var asking sync.WaitGroup
	asking.Go(func() { orders = s.ordersUnderWay(ctx) })
	b := s.lab.state(ctx)
	asking.Wait()
	if b.Orders = orders; orders == nil {
		b.Missing, b.errs["orders"] = append(b.Missing, "orders"), health.ErrUncounted
	}
	return b
}

// ordersUnderWay returns how many orders are in each status; nil if no replica of orders tells it.
func (s *Pages) ordersUnderWay(ctx context.Context) map[string]int {
	for _, address := range s.orders.Replicas(ctx) {
		h, _ := health.Program{Name: "orders", Address: address}.CheckUp(ctx) // one that does not answer tells nothing
		if counts := health.UnderWay([]health.Health{h}); counts != nil {
			return counts
		}
	}
	return nil
}
