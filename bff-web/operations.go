package main

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

// console is the operators' overview. A nil value could not be read; the absence beside it says why.
type console struct {
	Flow      []bar
	From      time.Time // beginning of the time that Flow counts
	Deaf      *absence  // set if Flow is not known, without RabbitMQ
	Uncounted *absence  // set if it is not known in which status the orders are, without orders
	Attention told[attention]
	Programs  []health
	Queues    []queue
	Unasked   *absence // set if queues and dead letters are not known, without RabbitMQ
	Dead      int      // messages in all dead-letter queues
	Lost      []string // dead-letter queues that do not exist
}

type attention struct {
	Items []struct {
		OrderID  string    `json:"order_id"`
		Customer string    `json:"customer_id"`
		Status   string    `json:"status"`
		Reason   string    `json:"reason"` // why it was compensated; empty: it was not
		Since    time.Time `json:"attention_since"`
		WaitsFor string    `json:"waits_for"`
		Todo     string    `json:"todo"`
		Advice   string    `json:"advice"`
	} `json:"items"`
	Next string `json:"next_cursor"`
}

// queue is a queue that messages pass through, not one of dead letters.
type queue struct {
	bus.QueueState
	Age string // age of the oldest message that waits or is being handled; empty: not known
}

// bar is a row of the chart: how many orders have entered a status lately, and how many are in it now; nil: not known.
type bar struct {
	Status, Label string
	Lately, Now   *int
	Final         bool // orders in it are not counted
	Percent       int  // of the longest bar
}

var chart = []string{"placed", "backordered", "reserved", "paid", "shipped", "delivered", "withdrawing", "refunding", "releasing", "cancelled"}

// bars combines the counts of the feed with those of orders. Statuses of a newer release come last.
func bars(lately, now map[string]int) []bar {
	statuses := slices.Clone(chart)
	others := slices.Concat(slices.Collect(maps.Keys(lately)), slices.Collect(maps.Keys(now)))
	for _, status := range slices.Compact(slices.Sorted(slices.Values(others))) {
		if !slices.Contains(chart, status) {
			statuses = append(statuses, status)
		}
	}
	most := 1
	for _, n := range lately {
		most = max(most, n)
	}
	rows := make([]bar, len(statuses))
	for i, status := range statuses {
		rows[i] = bar{status, label(status), counted(lately, status), counted(now, status), final(status), 100 * lately[status] / most}
	}
	return rows
}

func counted(counts map[string]int, status string) *int {
	if counts == nil {
		return nil
	}
	n := counts[status]
	return &n
}

func (s *site) getOperations(c echo.Context) error {
	ctx, now := c.Request().Context(), time.Now()
	var k console
	var states []bus.QueueState
	var asking sync.WaitGroup
	asking.Go(func() { k.Programs = s.checkUp(ctx) })
	asking.Go(func() { k.Attention = orGap[attention](s, c, s.orders, "orders", "/api/operations/attention") })
	asking.Go(func() {
		err := error(errNoBroker)
		if s.broker != nil {
			states, err = s.broker.Queues(ctx, s.queues()...)
		}
		if k.Unasked = s.absences.of("RabbitMQ", err, now); err != nil {
			s.log.WarnContext(ctx, "the console has a gap", "part", "queues", "error", err)
		}
	})
	asking.Wait()
	k.Deaf = s.deaf(ctx)
	var lately map[string]int
	lately, k.From = s.feed.lately(now)
	counts := underWay(k.Programs)
	if counts == nil {
		k.Uncounted = s.absences.of("counting", errUncounted, now)
	} else {
		s.absences.of("counting", nil, now)
	}
	k.Flow = bars(lately, counts)
	k.Queues, k.Dead, k.Lost = withoutDead(states, ages(k.Programs))
	k.Programs = append(k.Programs, s.itself())
	return s.pages.render(c, http.StatusOK, "operations.html", k)
}

// deaf returns an absence if no notifications come from RabbitMQ, and nil otherwise.
func (s *site) deaf(ctx context.Context) *absence {
	s.feed.attend(ctx)
	if heard, since := s.feed.lately(time.Now()); heard == nil {
		return &absence{"this program does not hear RabbitMQ", since}
	}
	return nil
}

var (
	errNoBroker  = fault.New(fault.Unavailable, "this program has no RABBITMQ_URL")
	errUncounted = fault.New(fault.Unavailable, "no replica of orders tells it")
)

// itself returns the health of this process, which works well enough to show the page.
func (s *site) itself() health {
	h := health{program: program{Name: name, Address: "this page's"}, State: "ready", Metrics: true}
	if s.broker != nil {
		if h.RabbitMQ = "away"; s.broker.Connected() {
			h.RabbitMQ = "connected"
		}
	}
	return h
}

// queues returns the names of the services' queues, each followed by its dead-letter queue.
func (s *site) queues() (names []string) {
	for _, service := range s.services {
		for _, exchange := range []string{bus.Commands, bus.Events} {
			q := bus.Queue{Service: service.name, Exchange: exchange}
			names = append(names, q.Name(), q.Dead())
		}
	}
	return names
}

// withoutDead returns the queues that messages pass through, and counts the messages in the dead-letter queues. lost are
// dead-letter queues that do not exist. The age of a queue's messages is known only if it has a consumer.
func withoutDead(states []bus.QueueState, ages map[string]time.Duration) (kept []queue, dead int, lost []string) {
	for i := 0; i+1 < len(states); i += 2 {
		dead += states[i+1].Ready
		if states[i].Missing { // some services do not have both queues
			continue
		}
		if states[i+1].Missing {
			lost = append(lost, states[i+1].Name)
		}
		q := queue{QueueState: states[i]}
		if age, ok := ages[q.Name]; ok && q.Consumers > 0 {
			q.Age = age.Round(time.Second).String()
		}
		kept = append(kept, q)
	}
	slices.SortStableFunc(kept, func(a, b queue) int { return cmp.Compare(b.Ready, a.Ready) })
	return kept, dead, lost
}
