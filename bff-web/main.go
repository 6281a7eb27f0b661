// Bff-web is the backend of the web front end. It gets what a page needs from the services, serves the pages, and pushes live
// tracking. It has no business rules and no database.
package main

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/service"
	"example.com/orderflow/pkg/web"
)

const name = "bff-web"

type config struct {
	service.Settings
	Addr string `env:"HTTP_ADDR" envDefault:"127.0.0.1:8081"` // where it listens

	OrdersURL       client.URLs   `env:"ORDERS_URL" envDefault:"http://localhost:8082"`    // replicas of orders
	PaymentsURL     client.URLs   `env:"PAYMENTS_URL" envDefault:"http://localhost:8083"`  // replicas of payments
	InventoryURL    client.URLs   `env:"INVENTORY_URL" envDefault:"http://localhost:8084"` // replicas of inventory
	ShippingURL     client.URLs   `env:"SHIPPING_URL" envDefault:"http://localhost:8085"`  // replicas of shipping
	GatewayURL      client.URLs   `env:"GATEWAY_URL" envDefault:"http://localhost:8080"`   // where tokens come from when somebody signs in
	GatewayAdminURL client.URLs   `env:"GATEWAY_ADMIN_URL"`                                // the gateway's admin port, for the operator console; empty: the console does not show the gateway
	SimulatorURL    client.URLs   `env:"SIMULATOR_URL"`                                    // the simulator, for the operators' laboratory; empty, or without DEMO_SECRET: there is none
	Upstream        client.Config `envPrefix:"UPSTREAM_"`                                  // for calls to all these programs; 2 s for an attempt, 4 s in all, one retry

	RabbitMQURL string `env:"RABBITMQ_URL"`                    // with the account `bff-web`, which may only listen; empty: live tracking asks orders every 2 s, and the console shows no queues
	StreamsMost int    `env:"STREAMS_MOST" envDefault:"10000"` // open streams of live tracking in one replica; further ones get 503 with `Retry-After`, and their pages ask every 3 s
	StreamsEach int    `env:"STREAMS_EACH" envDefault:"100"`   // open streams of one person; further ones get 429. A browser needs one for all its pages

	SessionKey sealKey `env:"SESSION_KEY"` // seals sessions: 32 bytes in base64, the same for all replicas. A new key signs everybody out, and what somebody is typing at the checkout is lost; empty: a new key at each start
	DemoSecret string  `env:"DEMO_SECRET"` // the secret of the gateway's demo clients; empty: nobody can sign in as one of them

	LaboratoryURL client.URLs `env:"LABORATORY_URL"` // a supervisor that stops and starts programs for the laboratory. `make up` and `make demo` set it; empty: nobody does this
	LaboratoryKey string      `env:"LABORATORY_KEY"` // the key for it

	identity.Trust
}

// services returns the programs that have data and messages of their own. The console shows each of them, with its queues and
// dead letters.
func (c config) services() map[string]client.URLs {
	return map[string]client.URLs{"orders": c.OrdersURL, "payments": c.PaymentsURL, "inventory": c.InventoryURL, "shipping": c.ShippingURL}
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
		notifications := s.broker.NewSubscription(notificationKinds, s.feed.receive, s.feed.joined)
		s.feed.want = notifications.Want
		parts = append(parts, service.Part{Name: "notifications", Run: notifications.Run})
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

	services []upstream  // all services, sorted by name
	watched  []upstream  // for the operator console: the services, and the gateway if it can be checked
	broker   *bus.Broker // nil without RABBITMQ_URL
	feed     *feed
	streams  *streams
	absences absences
	shelf    *shelf
	lab      *laboratory // nil: there is none
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
	s := &site{
		log: log, pages: pages, verifier: verifier, sealer: sealer, secret: cfg.DemoSecret,
		gateway: connect("gateway", cfg.GatewayURL),
		feed:    newFeed(),
		shelf:   newShelf(),
		streams: newStreams(cfg.StreamsMost, cfg.StreamsEach),
		lab:     newLaboratory(cfg, log),
	}
	pages.laboratory = s.lab != nil
	of := map[string]*client.Client{}
	for name, urls := range cfg.services() {
		of[name] = connect(name, urls)
		s.services = append(s.services, upstream{name, of[name]})
	}
	slices.SortFunc(s.services, func(a, b upstream) int { return cmp.Compare(a.name, b.name) })
	s.orders, s.payments, s.inventory, s.shipping = of["orders"], of["payments"], of["inventory"], of["shipping"]
	if s.watched = s.services; len(cfg.GatewayAdminURL) > 0 {
		s.watched = append([]upstream{{"gateway", connect("gateway's admin port", cfg.GatewayAdminURL)}}, s.services...)
	}
	return s, nil
}
