package audit

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
)

// Sources says where the books are.
type Sources struct {
	Repo      string            // the checkout; its docs/saga.md has the transitions that an order may make
	Databases map[string]string // URL by service
	Broker    servers.Broker
	Simulator string // base address of the simulator of the outside world
}

// Of returns where the books of a running system are.
func Of(s *system.System, repo string) Sources {
	sources := Sources{Repo: repo, Databases: map[string]string{}, Broker: s.Broker, Simulator: s.SimulatorURL}
	for _, service := range services {
		sources.Databases[service] = s.DatabaseURL(service)
	}
	return sources
}

// partOrders is how many orders are held in memory at a time, with everything that is written about them.
const partOrders = 5000

// Look reads all books once and checks the rules.
func Look(ctx context.Context, sources Sources, expected Expectations) (Report, error) {
	return look(ctx, sources, expected, partOrders)
}

// look reads the books in parts of size orders. Each database is read as a snapshot, that of orders first. The snapshots of
// the others are taken a little later, so that they contain what orders reports. Parts that are read later come from the
// same snapshots.
func look(ctx context.Context, sources Sources, expected Expectations, size int) (Report, error) {
	saga, err := readSaga(filepath.Join(sources.Repo, "docs", "saga.md"))
	if err != nil {
		return Report{}, err
	}
	var s shelves
	defer s.close()
	for _, service := range services {
		if err := s.openDatabase(ctx, service, sources.Databases[service], size); err != nil {
			return Report{}, fmt.Errorf("read the database of %s: %w", service, err)
		}
	}
	slices.Sort(s.bounds)
	s.bounds = slices.Compact(s.bounds)
	if err := s.openWorld(ctx, sources.Simulator); err != nil {
		return Report{}, err
	}
	var closing Books
	if err := readBroker(ctx, sources.Broker, &closing); err != nil {
		return Report{}, err
	}
	subject := func(m Message) string { return m.Subject }
	s.add("outboxes", inMemory(s.messages, subject).into(func(b *Books) *[]Message { return &b.Outboxes }))
	s.add("dead letters", inMemory(closing.DeadLetters, subject).into(func(b *Books) *[]Message { return &b.DeadLetters }))
	accepted := inMemory(expected.Accepted, func(id string) string { return id })

	check := newChecker(saga, expected)
	for _, bound := range append(s.bounds, unbounded) {
		part, err := s.read(ctx, bound)
		if err != nil {
			return Report{}, fmt.Errorf("read the books: %w", err)
		}
		ids, _ := accepted.below(ctx, bound) // cannot fail: they are in memory
		check.part(part, ids)
	}
	for _, read := range s.catalogues {
		if err := read(ctx, &closing); err != nil {
			return Report{}, fmt.Errorf("read the books: %w", err)
		}
	}
	return check.close(closing), nil
}

// peekMost is how many dead letters of a queue are read. If there are more, they are counted.
const peekMost = 1000

// readBroker reads how many messages are in each queue of a service, and what the dead letters are. Messages in other
// queues are not read: reading means taking and returning them, and the broker counts each delivery.
func readBroker(ctx context.Context, broker servers.Broker, b *Books) error {
	queues, err := broker.Queues(ctx)
	if err != nil {
		return fmt.Errorf("read the queues: %w", err)
	}
	for _, q := range queues {
		owner, _, _ := strings.Cut(q.Name, ".")
		switch {
		case !slices.Contains(services, owner): // the queues of bff-web, which exist while it is connected
		case strings.HasSuffix(q.Name, ".dead"):
			letters, err := broker.Peek(ctx, q.Name, peekMost)
			if err != nil {
				return fmt.Errorf("read the dead letters: %w", err)
			}
			for i, l := range letters {
				b.DeadLetters = append(b.DeadLetters, deadLetter(q.Name, l))
				if i == peekMost-1 && l.Behind > 0 {
					b.Queues = append(b.Queues, Queue{q.Name, l.Behind})
				}
			}
		default:
			b.Queues = append(b.Queues, Queue(q))
		}
	}
	return nil
}

func deadLetter(queue string, l servers.QueuedMessage) Message {
	m := Message{Where: queue, ID: l.Properties.ID, Kind: l.Properties.Kind, Subject: l.Properties.Subject}
	reason, _ := l.Properties.Headers["dead-reason"].(string)
	lastError, _ := l.Properties.Headers["error"].(string)
	m.LastError = strings.TrimPrefix(reason+": "+lastError, ": ")
	return m
}
