// Bff-web is the backend of the web front end. It gets what a page needs from the services, serves the pages, and pushes live
// tracking. It has no business rules and no database.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/service"
	"example.com/orderflow/pkg/web"
)

const name = "bff-web"

type config struct {
	service.Settings
	Addr string `env:"HTTP_ADDR" envDefault:"127.0.0.1:8081"` // where it listens

	Services        client.Directory `env:"SERVICES,required"`                              // replicas of all services, as for the gateway; the operator console shows each of them, with its queues and dead letters
	GatewayURL      client.URLs      `env:"GATEWAY_URL" envDefault:"http://localhost:8080"` // where tokens come from when somebody signs in
	GatewayAdminURL client.URLs      `env:"GATEWAY_ADMIN_URL"`                              // the gateway's admin port, for the operator console; empty: the console does not show the gateway
	SimulatorURL    client.URLs      `env:"SIMULATOR_URL"`                                  // the outside world of the demo, for the laboratory and the courier; empty: neither
	Upstream        client.Config    `envPrefix:"UPSTREAM_"`                                // for calls to all these programs; 2 s for an attempt, 4 s in all, one retry

	RabbitMQURL string `env:"RABBITMQ_URL"`                    // with the account `bff-web`, which may only listen; empty: live tracking asks orders every 2 s, and the console shows no queues
	StreamsMost int    `env:"STREAMS_MOST" envDefault:"10000"` // open streams of live tracking in one replica; further ones get 503 with `Retry-After`, and their pages ask every 3 s
	StreamsEach int    `env:"STREAMS_EACH" envDefault:"100"`   // open streams of one person; further ones get 429. A browser needs one for all its pages

	TapRabbitMQURL string `env:"TAP_RABBITMQ_URL"` // with the account `tap`, which may listen to everything; empty: pages show no messages
	TapShoppers    bool   `env:"TAP_SHOPPERS"`     // shoppers, too, see the messages of their own orders: for demos, since then each look at an order costs as much as a service's consumer

	SessionKey sealKey `env:"SESSION_KEY"` // seals sessions: 32 bytes in base64, the same for all replicas. A new key signs everybody out, and what somebody is typing at the checkout is lost; empty: a new key at each start
	DemoSecret string  `env:"DEMO_SECRET"` // the secret of the gateway's demo clients; empty: nobody can sign in as one of them

	DocsURL   string `env:"DOCS_URL"`   // the documentation, for the foot of each page; empty: no link
	SourceURL string `env:"SOURCE_URL"` // the source, likewise

	LaboratoryURL client.URLs `env:"LABORATORY_URL"` // a supervisor that stops and starts programs for the laboratory. `make up` and `make demo` set it; empty: nobody does this
	LaboratoryKey string      `env:"LABORATORY_KEY"` // the key for it

	identity.Trust
}

func main() { service.Main(name, run) }

func run(ctx context.Context, p *service.Program, cfg config) error {
	verifier := cfg.Verifier(p.Log)
	s, err := newSite(cfg, verifier, p.Log)
	if err != nil {
		return err
	}
	serving := web.Config{Name: name, Addr: cfg.Addr, DrainDelay: p.DrainDelay, Log: p.Log, Metrics: p.Metrics}
	var parts []service.Part
	if cfg.RabbitMQURL != "" {
		if s.broker, err = bus.NewBroker(cfg.RabbitMQURL, name, p.Log); err != nil {
			return err
		}
		serving.Report = s.broker.Report
		s.lookout.inspected(s.broker)
		notifications := s.broker.NewSubscription(notificationKinds, s.feed.receive, s.feed.joined)
		s.feed.want = notifications.Want
		parts = append(parts, service.Part{Name: "notifications", Run: notifications.Run})
	}
	if cfg.TapRabbitMQURL != "" {
		broker, err := bus.NewBroker(cfg.TapRabbitMQURL, "tap", p.Log)
		if err != nil {
			return err
		}
		tap := broker.NewTap(messages.Commands(), slices.Sorted(maps.Keys(cfg.Services)), s.taps.pass, s.taps.joined)
		s.taps.want = tap.Want
		s.lookout.tap = func(pass func([]bus.Passage)) (leave func()) {
			leave = s.taps.watch(pass)
			s.taps.attend(ctx)
			return leave
		}
		parts = append(parts, service.Part{Name: "tap", Run: tap.Run})
	}
	server := web.New(serving)
	s.routes(server)
	// Streams go on during the drain delay, and then end like other requests.
	defer context.AfterFunc(ctx, func() { time.AfterFunc(p.DrainDelay, s.streams.end) })()
	return p.Run(ctx, append([]service.Part{{Name: "http", Run: server.Run}}, parts...)...)
}

// site is the state that the routes share: the templates, the services behind the pages, and the notifications about orders.
type site struct {
	log      *slog.Logger
	pages    *pages
	verifier web.Verifier
	sealer   sealer
	secret   string

	orders, payments, inventory, shipping, gateway *client.Client
	simulator                                      *client.Client // nil: this is no demo, or its world has no address

	services []upstream  // all services, sorted by name
	watched  []upstream  // for the operator console: the services, and the gateway if it can be checked
	broker   *bus.Broker // nil without RABBITMQ_URL
	feed     *feed
	taps     *taps
	showAll  bool // to shoppers, too
	streams  *streams
	absences absences
	shelf    *shelf
	ledger   ledger
	lab      *laboratory // nil: there is none
	lookout  *lookout
}

type upstream struct {
	name   string
	client *client.Client
}

func newSite(cfg config, verifier web.Verifier, log *slog.Logger) (*site, error) {
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	sealer, err := newSealer(cfg.SessionKey, log)
	if err != nil {
		return nil, err
	}
	connect := func(name string, urls client.URLs) *client.Client {
		c := cfg.Upstream
		c.Name, c.URLs, c.Log = name, urls, log
		c.Retries = cmp.Or(c.Retries, 1)
		c.Total = cmp.Or(c.Total, 4*time.Second) // less than the 5 s that the gateway waits for us
		c.RetryAmbiguous = true                  // a key is sent only to orders and inventory, which honour it
		return client.New(c)
	}
	pages.people, pages.links = cfg.cast(), cfg.links()
	s := &site{
		log: log, pages: pages, verifier: verifier, sealer: sealer, secret: cfg.DemoSecret,
		gateway: connect("gateway", cfg.GatewayURL),
		feed:    newFeed(),
		taps:    newTaps(), showAll: cfg.TapShoppers,
		shelf:   newShelf(),
		streams: newStreams(cfg.StreamsMost, cfg.StreamsEach),
	}
	if len(cfg.SimulatorURL) > 0 && cfg.DemoSecret != "" { // in a real shop nobody may do any of this
		s.simulator = connect("the carrier", cfg.SimulatorURL)
		c := cfg.Upstream
		c.Log = log
		s.lab = newLaboratory(cfg.SimulatorURL, cfg.LaboratoryURL, cfg.LaboratoryKey, c)
		pages.laboratory = true
	}
	of := map[string]*client.Client{}
	for name, urls := range cfg.Services {
		of[name] = connect(name, urls)
		s.services = append(s.services, upstream{name, of[name]})
	}
	slices.SortFunc(s.services, func(a, b upstream) int { return cmp.Compare(a.name, b.name) })
	for _, name := range []string{"orders", "payments", "inventory", "shipping"} { // whose data is on the pages
		if of[name] == nil {
			return nil, fmt.Errorf("SERVICES has no address of %s", name)
		}
	}
	s.orders, s.payments, s.inventory, s.shipping = of["orders"], of["payments"], of["inventory"], of["shipping"]
	if s.watched = s.services; len(cfg.GatewayAdminURL) > 0 {
		s.watched = append([]upstream{{"gateway", connect("gateway's admin port", cfg.GatewayAdminURL)}}, s.services...)
	}
	s.lookout = s.newLookout()
	return s, nil
}
