package laboratory

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/messages"
)

// scene is something that happens to the system, at the press of one button. It ends by itself and takes back what it has
// changed: its faults and its customers end in the simulator, its part comes back from the supervisor, and its product is retired
// (see Run). A poison message waits for a person, because that is what it shows.
type scene struct {
	Name  string  `json:"name"`
	Title string  `json:"title"`
	What  string  `json:"what"` // what happens
	Look  []sight `json:"look"` // what to look at, in this order
	Lasts seconds `json:"seconds"`

	faults  ailments
	crowd   crowd
	shelf   *stockOf // what there has to be before the customers come
	part    away
	poison  bool
	mistake string // for how long; empty: there is none
}

// sight is something to look at, and what it shows.
type sight struct {
	Page string `json:"page"` // address
	Name string `json:"name"` // of the page
	Text string `json:"text"`
}

// seconds is a duration that is shown as a number.
type seconds int

func (s seconds) String() string { return (time.Duration(s) * time.Second).String() }

// away is a part that is stopped or killed for a time.
type away struct {
	Part, Action string
	After, For   string
}

// stockOf is a product with a number of units and no supplier.
type stockOf struct {
	SKU, Name, Description string
	Price                  messages.Money
	Units                  int
}

// fewKettles is sold by one scene only, so that the other scenes and the visitors do not change how many there are.
var fewKettles = stockOf{
	SKU: "LAB-KETTLE", Name: "Swan-neck kettle, last ten", Description: "From the laboratory: there are ten of it, and no more will come.",
	Price: messages.Money{Amount: 7900, Currency: "EUR"}, Units: 10,
}

// usualMix is customers as every shop has them.
var usualMix = map[string]float64{"declined": .1, "flaky": .1, "undeliverable": .05, "regret": .1}

const (
	overview  = "/operations"
	backstage = "/backstage"
	deadList  = "/operations/dead-letters"
)

// allScenes returns all scenes, in the order of the page.
func allScenes() []scene {
	return []scene{{
		Name:  "bank-silent",
		Title: "The bank falls silent during 50 orders",
		What:  "50 customers order within 10 seconds. For 30 seconds the bank carries out what it is asked, but nobody gets an answer in time.",
		Look: []sight{
			{backstage, "Backstage", "The breaker under payments opens: after ten calls without an answer it does not keep asking. Nothing waits in its queue, because payments has taken the commands and asks the bank from its own table."},
			{overview, "Overview", "The orders gather in Reserved. Nobody knows whether these customers have paid."},
			{overview, "Overview", "When the bank answers again, payments first asks what it has done with each order, by its key. What was charged is not charged again, and the orders go on."},
		},
		Lasts:  30,
		faults: ailments{Provider: ailment{Latency: "30s"}},
		crowd:  crowd{Rate: 5, For: "30s", Orders: 50},
	}, {
		Name:  "ten-kettles",
		Title: "Two hundred orders for ten kettles",
		What:  "200 customers order the same kettle within 10 seconds, with good cards. There are ten.",
		Look: []sight{
			{"/operations/stock?q=" + fewKettles.SKU, "Stock", "The number on hand goes down to 0 and never below."},
			{backstage, "Backstage", "200 commands fall into the queue of inventory, and only ten into that of payments. Red events report the orders that were cancelled."},
			{overview, "Overview", "All 200 orders are accepted at once, without a look at the stock. Ten go on. The others are cancelled, and nobody has paid for one."},
		},
		Lasts: 20,
		crowd: crowd{Rate: 20, For: "20s", Orders: 200, SKU: fewKettles.SKU},
		shelf: &fewKettles,
	}, {
		Name:  "carrier-back",
		Title: "The carrier comes back",
		What:  "The carrier is down for 40 seconds. Meanwhile 60 customers order.",
		Look: []sight{
			{backstage, "Backstage", "The breaker under shipping opens, and no messages leave shipping. Everything left of it moves as before: no service waits for another one."},
			{overview, "Overview", "The orders gather in Paid: they wait for a parcel. Everything before that goes on as usual, and an order can still be cancelled."},
			{overview, "Overview", "When the carrier is back, all parcels are arranged within seconds, each one once."},
		},
		Lasts:  40,
		faults: ailments{Carrier: ailment{Down: true}},
		crowd:  crowd{Rate: 3, For: "40s", Orders: 60},
	}, {
		Name:  "bad-day",
		Title: "A bad day for everybody outside",
		What:  "For a minute the bank, the carrier and the supplier are slow, answer one call of five with an error, and lose the answer to another one. Customers come with all sorts of cards and addresses, and some cancel.",
		Look: []sight{
			{backstage, "Backstage", "Calls to the external systems are red when they fail, and a breaker may open for a moment. Red messages are compensations: stock is released, money is paid back."},
			{overview, "Overview", "Orders end in every way, and all of them end. Retries and questions by key hide most of it from the customers."},
			{"/orders", "My orders", "Place an order yourself meanwhile, and watch it."},
		},
		Lasts: 60,
		faults: ailments{
			Provider: ailment{Latency: "100ms", Jitter: "900ms", Errors: .2, Ambiguous: .2},
			Carrier:  ailment{Latency: "100ms", Jitter: "900ms", Errors: .2, Ambiguous: .2},
			Supplier: ailment{Latency: "100ms", Jitter: "900ms", Errors: .2, Ambiguous: .2},
		},
		crowd: crowd{Rate: 4, For: "1m", Mix: usualMix},
	}, {
		Name:  "poison",
		Title: "A poison message",
		What:  "Payments gets a command with an amount that is a word. No attempt can ever succeed.",
		Look: []sight{
			{backstage, "Backstage", "One red message in the pile “dead” of payments. It does not block the queue: what comes after it goes on."},
			{deadList, "Dead letters", "The message with its error. Replay it, and it comes back. Until somebody discards it, the audit reports it. “Discard poison messages” below does that in one click."},
		},
		Lasts:  5,
		poison: true,
	}, {
		Name:  "mistake",
		Title: "A mistake in a release of payments",
		What:  "For 15 seconds payments cannot store any payment, as if a release had a mistake. 20 customers order.",
		Look: []sight{
			{backstage, "Backstage", "A pile grows at “retry” of payments: the messages whose handling has failed. They go back into the queue after half a second, 2, 8 and 30 seconds, so ever less often."},
			{overview, "Overview", "The orders gather in Reserved until the mistake is corrected."},
			{deadList, "Dead letters", "The mistake is corrected before any message was given up. So there is nothing here, and all orders go on by themselves."},
		},
		Lasts:   15,
		crowd:   crowd{Rate: 4, For: "15s", Orders: 20},
		mistake: "15s",
	}, {
		Name:  "payments-dies",
		Title: "Payments dies in the middle",
		What:  "100 customers order within 10 seconds. After 4 seconds payments is killed (kill -9), and is away for 15 seconds.",
		Look: []sight{
			{backstage, "Backstage", "Payments turns red, and a pile grows in its queue: a dot for each order, and no consumer. Orders and inventory go on. When payments is back, it takes the pile in batches."},
			{overview, "Overview", "Customers notice nothing: orders are accepted and wait in Reserved."},
			{overview, "Overview", "What payments was just doing when it died is finished when its leases expire, after 30 seconds. Nobody is charged twice."},
		},
		Lasts: 20,
		crowd: crowd{Rate: 10, For: "20s", Orders: 100},
		part:  away{"payments", "kill", "4s", "15s"},
	}, {
		Name:  "rabbitmq-restarts",
		Title: "RabbitMQ restarts under load",
		What:  "100 customers order within 20 seconds. After 4 seconds RabbitMQ is killed, and starts again 5 seconds later.",
		Look: []sight{
			{backstage, "Backstage", "Both exchanges are red, and the pile in the outbox of orders grows: orders are still accepted, and their messages wait in its database."},
			{overview, "Overview", "When RabbitMQ is back, the outboxes empty themselves. No message is lost; some come twice and have their effect once."},
		},
		Lasts: 25,
		crowd: crowd{Rate: 5, For: "25s", Orders: 100},
		part:  away{"rabbitmq", "kill", "4s", "5s"},
	}}
}

// needsDesk reports whether a scene does something for which a supervisor is needed.
func (s scene) needsDesk() bool { return s.part.Part != "" || s.poison || s.mistake != "" }

// scenes returns the scenes that can be played here.
func (l *Laboratory) scenes() []scene {
	return slices.DeleteFunc(allScenes(), func(s scene) bool { return s.needsDesk() && l.desk == nil })
}

// scene returns a scene that can be played here; nil: there is none.
func (l *Laboratory) scene(name string) *scene {
	for _, s := range l.scenes() {
		if s.Name == name {
			return &s
		}
	}
	return nil
}

// play begins a scene. It ends the faults and customers of the one before.
func (s *Pages) play(ctx context.Context, what scene, caller http.Header) error {
	what.faults.For, what.faults.Note = what.Lasts.String(), what.Name
	if err := s.lab.tellWorld(ctx, http.MethodPut, "/faults", what.faults, nil); err != nil {
		return err
	}
	if what.shelf != nil { // after that, because a product of a scene that is not under way is retired
		defer s.lab.sell(onSale{*what.shelf, what.Name, caller, time.Now()})
		if err := s.stockUp(ctx, *what.shelf, caller); err != nil {
			return err
		}
	}
	if p := what.part; p.Part != "" {
		when := map[string]string{"after": p.After, "for": p.For}
		if err := s.lab.askDesk(ctx, http.MethodPost, "/parts/"+p.Part+"/"+p.Action, when, nil); err != nil {
			return err
		}
	}
	if what.mistake != "" {
		if err := s.lab.askDesk(ctx, http.MethodPost, "/mistake", map[string]string{"for": what.mistake}, nil); err != nil {
			return err
		}
	}
	if what.poison {
		if err := s.lab.askDesk(ctx, http.MethodPost, "/poison", nil, nil); err != nil {
			return err
		}
	}
	return s.lab.tellWorld(ctx, http.MethodPut, "/customers", what.crowd, nil)
}

// learned is the time after which orders sells a product that is new or has come back: it hears of it from inventory by an event.
const learned = 1500 * time.Millisecond

// stockUp puts a product into the shop, and fills up its stock, on behalf of the operator.
func (s *Pages) stockUp(ctx context.Context, want stockOf, caller http.Header) error {
	var before, there struct {
		Available int  `json:"available"`
		Retired   bool `json:"retired"`
	}
	_, err := s.inventory.JSON(ctx, http.MethodGet, "/api/products/"+want.SKU, caller, nil, &before)
	missing := upstream.StatusOf(err) == http.StatusNotFound
	if err != nil && !missing {
		return refused(err)
	}
	if err := s.offer(ctx, want, false, caller, &there); err != nil {
		return refused(err)
	}
	if there.Available < want.Units {
		h := caller.Clone()
		h.Set("Idempotency-Key", rand.Text())
		add := map[string]int{"add": want.Units - there.Available}
		if _, err := s.inventory.JSON(ctx, http.MethodPost, "/api/products/"+want.SKU+"/stock", h, add, nil); err != nil {
			return refused(err)
		}
	}
	if missing || before.Retired {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(learned):
		}
	}
	return nil
}
