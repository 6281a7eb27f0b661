package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/health"
	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/bus"
	"github.com/labstack/echo/v4"
)

// console is the operators' overview. A nil value could not be read; the absence beside it says why.
type console struct {
	Flow      []orders.Bar
	From      time.Time         // beginning of the time that Flow counts
	Deaf      *upstream.Absence // set if Flow is not known, without RabbitMQ
	Uncounted *upstream.Absence // set if it is not known in which status the orders are, without orders
	Attention upstream.Told[attention]
	Programs  []health.Health
	Queues    []queue
	Unasked   *upstream.Absence // set if queues and dead letters are not known, without RabbitMQ
	Dead      int               // messages in all dead-letter queues
	Lost      []string          // dead-letter queues that do not exist
}

type attention struct {
	Items []struct {
		OrderID  string    `json:"order_id"`
		Customer string    `json:"customer_id"`
		Status   string    `json:"status"`
		Reason   string    `json:"reason"` // why it was compensated; empty: it was not
		Since    time.Time `json:"since"`
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

func (s *Pages) getOperations(c echo.Context) error {
	ctx, now := c.Request().Context(), time.Now()
	var k console
	var states []bus.QueueState
	var asking sync.WaitGroup
	asking.Go(func() { k.Programs = s.checker.CheckUp(ctx) })
	asking.Go(func() {
		k.Attention = upstream.OrGap[attention](s.absences, c, s.orders, "orders", "/api/operations/attention")
	})
	asking.Go(func() {
		err := error(health.ErrNoBroker)
		if s.checker.Broker != nil {
			states, err = s.checker.Broker.Queues(ctx, s.queues()...)
		}
		if k.Unasked = s.absences.Of("RabbitMQ", err, now); err != nil {
			s.log.WarnContext(ctx, "the console has a gap", "part", "queues", "error", err)
		}
	})
	asking.Wait()
	k.Deaf = s.deaf(ctx)
	var lately map[string]int
	lately, k.From = s.feed.Lately(now)
	counts := health.UnderWay(k.Programs)
	if counts == nil {
		k.Uncounted = s.absences.Of("counting", health.ErrUncounted, now)
	} else {
		s.absences.Of("counting", nil, now)
	}
	k.Flow = orders.Bars(lately, counts)
	k.Queues, k.Dead, k.Lost = withoutDead(states, health.Ages(k.Programs))
	k.Programs = append(k.Programs, s.checker.Itself())
	return s.pages.Render(c, http.StatusOK, "operations.html", k)
}

// deaf returns an absence if no notifications come from RabbitMQ, and nil otherwise.
func (s *Pages) deaf(ctx context.Context) *upstream.Absence {
	s.feed.Attend(ctx)
	if heard, since := s.feed.Lately(time.Now()); heard == nil {
		return &upstream.Absence{Cause: "this program does not hear RabbitMQ", Since: since}
	}
	return nil
}

// queues returns the names of the services' queues, each followed by its dead-letter queue.
func (s *Pages) queues() (names []string) {
	for _, service := range s.services {
		for _, exchange := range []string{bus.Commands, bus.Events} {
			q := bus.Queue{Service: service.Name, Exchange: exchange}
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
