package laboratory

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"time"

	"example.com/orderflow/pkg/messages"
)

// scene is something that happens to the system, at the press of one button. It ends by itself and takes back what it has
// changed: its faults and its customers end in the simulator, and its part comes back from the supervisor. So nothing has to be
// remembered here, and nothing stays behind if this program dies.
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
	overview = "/operations"
	deadList = "/operations/dead-letters"
)

// allScenes returns all scenes, in the order of the page.
func allScenes() []scene {
	return []scene{{
		Name:  "bank-silent",
		Title: "The bank falls silent during 50 orders",
		What:  "50 customers order within 10 seconds. For 30 seconds the bank carries out what it is asked, but nobody gets an answer in time.",
		Look: []sight{
			{overview, "Overview", "The orders gather in Reserved. Nobody knows whether these customers have paid. Payments has an open breaker for the bank: it does not keep asking."},
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
			{deadList, "Dead letters", "It does not block the queue: payments puts it aside at once, with the error. Replay it, and it comes back. Discard it with a reason: then all is in order again."},
		},
		Lasts:  5,
		poison: true,
	}, {
		Name:  "mistake",
		Title: "A mistake in a release of payments",
		What:  "For 15 seconds payments cannot store any payment, as if a release had a mistake. 20 customers order.",
		Look: []sight{
			{overview, "Overview", "The orders gather in Reserved. Their messages fail and are tried again after half a second, 2, 8 and 30 seconds: the longer it takes, the less often."},
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
			{overview, "Overview", "Customers notice nothing: orders are accepted and wait in Reserved. The queue payments.commands grows, without a consumer."},
			{overview, "Overview", "When payments is back, it takes the queue in batches. What it was just doing when it died is finished when its leases expire, after 30 seconds. Nobody is charged twice."},
		},
		Lasts: 20,
		crowd: crowd{Rate: 10, For: "20s", Orders: 100},
		part:  away{"payments", "kill", "4s", "15s"},
	}, {
		Name:  "rabbitmq-restarts",
		Title: "RabbitMQ restarts under load",
		What:  "100 customers order within 20 seconds. After 4 seconds RabbitMQ is killed, and starts again 5 seconds later.",
		Look: []sight{
			{overview, "Overview", "Orders are still accepted. Each program keeps its messages in its outbox, whose number of messages grows, and says that RabbitMQ is away."},
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
	if what.shelf != nil {
		if err := s.stockUp(ctx, *what.shelf, caller); err != nil {
			return err
		}
	}
	what.faults.For, what.faults.Note = what.Lasts.String(), what.Name
	if err := s.lab.tellWorld(ctx, http.MethodPut, "/faults", what.faults, nil); err != nil {
		return err
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

// learned is the time after which orders knows a new product: it hears of it from inventory by an event.
const learned = 1500 * time.Millisecond

// stockUp makes a product, if it is not there, and fills up its stock, on behalf of the operator.
func (s *Pages) stockUp(ctx context.Context, want stockOf, caller http.Header) error {
	var there struct {
		Available int `json:"available"`
	}
	status, err := s.inventory.JSON(ctx, http.MethodPut, "/api/products/"+want.SKU, caller, map[string]any{
		"name": want.Name, "description": want.Description, "price": want.Price, "reorder_point": 0, "reorder_quantity": 0,
	}, &there)
	if err != nil {
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
	if status == http.StatusCreated {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(learned):
		}
	}
	return nil
}
