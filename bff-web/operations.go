package main

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/pkg/bus"
	"github.com/labstack/echo/v4"
)

// console is the operators' overview. What is nil could not be had.
type console struct {
	Flow      []bar
	Attention *attention
	Programs  []health
	Queues    []queue
	Dead      int  // messages in all dead-letter queues
	Deaf      bool // without RabbitMQ the flow and the queues are not known
}

type attention struct {
	Items []struct {
		OrderID  string    `json:"order_id"`
		Customer string    `json:"customer_id"`
		Status   string    `json:"status"`
		Reason   string    `json:"reason"` // why it was turned back; empty when it was not
		Since    time.Time `json:"since"`
		WaitsFor string    `json:"waits_for"`
		Todo     string    `json:"todo"`
		Advice   string    `json:"advice"`
	} `json:"items"`
}

// queue is one that messages pass through.
type queue struct {
	bus.QueueState
	Age string // of the oldest message that waits or is being handled; empty: nobody can tell
}

// bar is a row of the chart: how many orders came into a status lately, and how many are in it now.
type bar struct {
	Status, Label string
	Lately        int
	Now           int // -1 where nobody counts: nothing comes after a final status
	Percent       int // of the longest bar
}

var chart = []string{"placed", "backordered", "reserved", "paid", "shipped", "delivered", "withdrawing", "refunding", "releasing", "cancelled"}

// bars puts what the feed has heard beside what orders counts.
func bars(lately map[string]int, programs []health) []bar {
	now := map[string]int{}
	for _, p := range programs { // all replicas of orders count the same database
		for _, m := range p.samples {
			if m.name == "orders_under_way" {
				now[m.label("status")] = int(m.value)
			}
		}
	}
	most := 1
	for _, n := range lately {
		most = max(most, n)
	}
	rows := make([]bar, len(chart))
	for i, status := range chart {
		rows[i] = bar{status, label(status), lately[status], now[status], 100 * lately[status] / most}
		if final(status) {
			rows[i].Now = -1
		}
	}
	return rows
}

func (s *site) getOperations(c echo.Context) error {
	ctx := c.Request().Context()
	var k console
	var states []bus.QueueState
	var asking sync.WaitGroup
	asking.Go(func() { k.Programs = s.checkUp(ctx) })
	asking.Go(func() { k.Attention = orGap[attention](s, c, s.orders, "/api/operations/attention") })
	asking.Go(func() {
		if s.broker == nil {
			return
		}
		var err error
		if states, err = s.broker.Queues(ctx, queues...); err != nil {
			s.log.WarnContext(ctx, "the console has a gap", "part", "queues", "error", err)
		}
	})
	asking.Wait()
	k.Programs = append(k.Programs, s.itself())
	k.Deaf = !s.feed.live()
	k.Flow = bars(s.feed.lately(time.Now()), k.Programs)
	k.Queues, k.Dead = withoutDead(states, ages(k.Programs))
	return s.pages.render(c, http.StatusOK, "operations.html", k)
}

// itself is how this process is: well enough to show the page.
func (s *site) itself() health {
	h := health{program: program{name, "this page's"}, State: "ready"}
	if s.broker != nil {
		if h.RabbitMQ = "away"; s.broker.Connected() {
			h.RabbitMQ = "connected"
		}
	}
	return h
}

// queues are those of the services, each with its dead letters.
var queues = slices.Concat(queuesOf("orders"), queuesOf("inventory"), queuesOf("payments"), queuesOf("shipping"))

func queuesOf(service string) (names []string) {
	for _, exchange := range []string{bus.Commands, bus.Events} {
		q := bus.Queue{Service: service, Exchange: exchange}
		names = append(names, q.Name(), q.Dead())
	}
	return names
}

// withoutDead keeps the queues that messages pass through, and counts what lies in the others. Without a consumer nobody
// knows how old the messages of a queue are.
func withoutDead(states []bus.QueueState, ages map[string]time.Duration) (kept []queue, dead int) {
	for i := 0; i+1 < len(states); i += 2 {
		dead += states[i+1].Ready
		if states[i].Missing {
			continue
		}
		q := queue{QueueState: states[i]}
		if age, ok := ages[q.Name]; ok && q.Consumers > 0 {
			q.Age = age.Round(time.Second).String()
		}
		kept = append(kept, q)
	}
	slices.SortStableFunc(kept, func(a, b queue) int { return cmp.Compare(b.Ready, a.Ready) })
	return kept, dead
}
