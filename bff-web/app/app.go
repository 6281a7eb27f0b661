// Package app is all of bff-web: it makes the pages, and connects them with what they need.
package app

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"example.com/orderflow/bff-web/backstage"
	"example.com/orderflow/bff-web/books"
	"example.com/orderflow/bff-web/console"
	"example.com/orderflow/bff-web/courier"
	"example.com/orderflow/bff-web/internal/health"
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/sse"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/bff-web/laboratory"
	"example.com/orderflow/bff-web/live"
	"example.com/orderflow/bff-web/order"
	"example.com/orderflow/bff-web/shop"
	"example.com/orderflow/bff-web/story"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/web"
)

// Config is the settings that the pages need.
type Config struct {
	Services        client.Directory `env:"SERVICES,required"`                              // replicas of all services, as for the gateway; the operator console shows each of them, with its queues and dead letters
	GatewayURL      client.URLs      `env:"GATEWAY_URL" envDefault:"http://localhost:8080"` // where tokens come from when somebody signs in
	GatewayAdminURL client.URLs      `env:"GATEWAY_ADMIN_URL"`                              // the gateway's admin port, for the operator console; empty: the console does not show the gateway
	SimulatorURL    client.URLs      `env:"SIMULATOR_URL"`                                  // the outside world of the demo, for the laboratory and the courier; empty: neither
	Upstream        client.Config    `envPrefix:"UPSTREAM_"`                                // for calls to all these programs; 2 s for an attempt, 4 s in all, one retry

	StreamsMost int `env:"STREAMS_MOST" envDefault:"10000"` // open streams of live tracking in one replica; further ones get 503 with `Retry-After`, and their pages ask every 3 s
	StreamsEach int `env:"STREAMS_EACH" envDefault:"100"`   // open streams of one person; further ones get 429. A browser needs one for all its pages

	TapShoppers bool `env:"TAP_SHOPPERS"` // shoppers, too, see the messages of their own orders: for demos, since then each look at an order costs as much as a service's consumer

	SessionKey visitor.SealKey `env:"SESSION_KEY"` // seals sessions: 32 bytes in base64, the same for all replicas. A new key signs everybody out, and what somebody is typing at the checkout is lost; empty: a new key at each start
	DemoSecret string          `env:"DEMO_SECRET"` // the secret of the gateway's demo clients; empty: nobody can sign in as one of them

	TracesURL order.TracesURL `env:"TRACES_URL"` // where operators see a trace, for the page of an order, such as `http://localhost:16686/trace/{trace_id}`; empty: the page only shows the id

	DocsURL   string `env:"DOCS_URL"`   // the documentation, for the foot of each page; empty: no link
	SourceURL string `env:"SOURCE_URL"` // the source, likewise

	LaboratoryURL client.URLs `env:"LABORATORY_URL"` // a supervisor that stops and starts programs for the laboratory. `make up` and `make demo` set it; empty: nobody does this
	LaboratoryKey string      `env:"LABORATORY_KEY"` // the key for it
}

// App is the pages, and what they learn from RabbitMQ.
type App struct {
	Feed    *live.Feed         // the notifications about orders
	Taps    *story.Taps        // the messages that pass
	Lookout *backstage.Lookout // what the backstage sees
	Checker *health.Checker    // the programs
	Streams *sse.Streams       // the open ones

	Site     *site.Site
	Services upstream.Services
	Shop     *shop.Pages
	Books    *books.Pages
	pages    []interface{ Routes(*web.Server) }
}

// New makes the pages. It asks nobody yet.
func New(cfg Config, verifier web.Verifier, log *slog.Logger) (*App, error) {
	sealer, err := visitor.NewSealer(cfg.SessionKey, log)
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
	look := site.Config{
		Log: log, Sealer: sealer, Verifier: verifier, Gateway: connect("gateway", cfg.GatewayURL), Secret: cfg.DemoSecret, Links: cfg.links(),
	}
	if cfg.DemoSecret != "" {
		look.People = site.Cast(len(cfg.SimulatorURL) > 0)
	}
	var simulator *client.Client // nil: this is no demo, or its world has no address
	var lab *laboratory.Laboratory
	if look.Laboratory = len(cfg.SimulatorURL) > 0 && cfg.DemoSecret != ""; look.Laboratory { // in a real shop nobody may do any of this
		simulator = connect("the carrier", cfg.SimulatorURL)
		c := cfg.Upstream
		c.Log = log
		lab = laboratory.Connect(cfg.SimulatorURL, cfg.LaboratoryURL, cfg.LaboratoryKey, c)
	}
	a := &App{Feed: live.NewFeed(), Taps: story.NewTaps(), Streams: sse.NewStreams(cfg.StreamsMost, cfg.StreamsEach)}
	a.Taps.ShowAll = cfg.TapShoppers
	if a.Site, err = site.New(look); err != nil {
		return nil, err
	}
	if a.Services, err = servicesOf(cfg.Services, connect); err != nil {
		return nil, err
	}
	absences := upstream.NewAbsences(log)
	a.Checker = &health.Checker{Services: a.Services.All, Watched: a.Services.All, Absences: absences}
	if len(cfg.GatewayAdminURL) > 0 {
		a.Checker.Watched = slices.Insert(slices.Clone(a.Services.All), 0, upstream.Service{Name: "gateway", Client: connect("gateway's admin port", cfg.GatewayAdminURL)})
	}
	a.Lookout = backstage.NewLookout(a.Services.All, a.Checker, a.Feed, a.Streams)

	a.Shop = shop.New(a.Site, a.Services, a.Taps.Listen)
	a.Books = books.New(a.Site, a.Services, simulator)
	a.pages = []interface{ Routes(*web.Server) }{
		a.Site,
		a.Shop,
		order.New(a.Site, a.Services, absences, a.Taps, a.Shop.ProductsOf, cfg.TracesURL),
		live.New(a.Site, a.Services, a.Feed, a.Streams),
		console.New(a.Site, a.Services, absences, a.Checker, a.Feed),
		a.Books,
		backstage.New(a.Site, a.Streams, a.Lookout),
		courier.New(a.Site, absences, simulator),
		laboratory.New(a.Site, a.Services, absences, lab),
	}
	return a, nil
}

// Routes registers all pages, and the part of the API that needs several services.
func (a *App) Routes(e *web.Server) {
	for _, p := range a.pages {
		p.Routes(e)
	}
}

// Inspected makes a broker tell the console and the backstage about its queues.
func (a *App) Inspected(by *bus.Broker) {
	a.Checker.Broker = by
	a.Lookout.Inspected(by)
}

func servicesOf(addresses client.Directory, connect func(string, client.URLs) *client.Client) (s upstream.Services, err error) {
	of := map[string]*client.Client{}
	for name, urls := range addresses {
		of[name] = connect(name, urls)
		s.All = append(s.All, upstream.Service{Name: name, Client: of[name]})
	}
	slices.SortFunc(s.All, func(a, b upstream.Service) int { return cmp.Compare(a.Name, b.Name) })
	for _, name := range []string{"orders", "payments", "inventory", "shipping"} { // whose data is on the pages
		if of[name] == nil {
			return s, fmt.Errorf("SERVICES has no address of %s", name)
		}
	}
	s.Orders, s.Payments, s.Inventory, s.Shipping = of["orders"], of["payments"], of["inventory"], of["shipping"]
	return s, nil
}

// links returns the links at the foot of each page that are the same for all visitors.
func (c Config) links() []site.Link {
	all := []site.Link{{Name: "Documentation", Address: c.DocsURL}, {Name: "Source", Address: c.SourceURL}, {Name: "API: the products", Address: "/api/products"}}
	return slices.DeleteFunc(all, func(l site.Link) bool { return l.Address == "" })
}
