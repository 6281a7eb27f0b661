package console

import (
	"slices"
	"testing"

	"example.com/orderflow/bff-web/internal/health"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/bus"
)

// Orders runs without its database: it answers, but leaves out what it cannot count.
func TestWithoutItsDatabaseOrdersReportsNoCounts(t *testing.T) {
	t.Parallel()
	if counts := health.UnderWay([]health.Health{{Program: health.Program{Name: "orders"}, Samples: []health.Sample{{Name: "process_cpu_seconds_total"}}}}); counts != nil {
		t.Errorf("%v", counts)
	}
	if counts := health.UnderWay([]health.Health{{Program: health.Program{Name: "orders"}, Samples: []health.Sample{{Name: "orders_need_attention"}}}}); counts == nil || len(counts) != 0 {
		t.Errorf("with nothing under way: %v", counts)
	}
}

func TestAQueueIsAsOldAsTheOldestMessageOfAnyReplica(t *testing.T) {
	t.Parallel()
	replica := func(metrics string) health.Health { return health.Health{Samples: health.Samples([]byte(metrics))} }
	old := health.Ages([]health.Health{replica(`bus_queue_age_seconds{queue="a.commands"} 2`), replica(`bus_queue_age_seconds{queue="a.commands"} 75.4` + "\n" + `bus_queue_age_seconds{queue="b.commands"} 9`)})
	queues, dead, lost := withoutDead([]bus.QueueState{
		{Name: "a.commands", Ready: 3, Consumers: 2},
		{Name: "a.commands.dead", Ready: 4},
		{Name: "b.commands", Ready: 7},
		{Name: "b.commands.dead", Ready: 1},
		{Name: "c.commands", Missing: true},
		{Name: "c.commands.dead", Missing: true},
		{Name: "d.commands"},
		{Name: "d.commands.dead", Missing: true},
	}, old)
	if !slices.Equal(lost, []string{"d.commands.dead"}) {
		t.Errorf("lost: %q", lost)
	}
	if len(queues) != 3 || dead != 5 || queues[0].Name != "b.commands" || queues[0].Age != "" || queues[1].Age != "1m15s" {
		t.Errorf("%+v, %d dead; nobody takes from b, so its age is not known", queues, dead)
	}
}

func TestTheConsoleLooksAtAllQueuesOfEveryService(t *testing.T) {
	t.Parallel()
	s := Pages{services: []upstream.Service{{Name: "orders"}, {Name: "newest"}}}
	for _, service := range s.services {
		for _, queue := range []string{".commands", ".commands.dead", ".events", ".events.dead"} {
			if !slices.Contains(s.queues(), service.Name+queue) {
				t.Errorf("the console does not look at %s", service.Name+queue)
			}
		}
	}
}
