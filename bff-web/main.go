// Bff-web is the backend of the web front end. It gets what a page needs from the services, serves the pages, and pushes live
// tracking. It has no business rules and no database.
package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"example.com/orderflow/bff-web/app"
	"example.com/orderflow/bff-web/live"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/service"
	"example.com/orderflow/pkg/web"
)

const name = "bff-web"

type config struct {
	service.Settings
	Addr string `env:"HTTP_ADDR" envDefault:"127.0.0.1:8081"` // where it listens

	RabbitMQURL    string `env:"RABBITMQ_URL"`     // with the account `bff-web`, which may only listen; empty: live tracking asks orders every 2 s, and the console shows no queues
	TapRabbitMQURL string `env:"TAP_RABBITMQ_URL"` // with the account `tap`, which may listen to everything; empty: pages show no messages

	app.Config
	identity.Trust
}

func main() { service.Main(name, run) }

func run(ctx context.Context, p *service.Program, cfg config) error {
	pages, err := app.New(cfg.Config, cfg.Verifier(p.Log), p.Log)
	if err != nil {
		return err
	}
	serving := web.Config{Name: name, Addr: cfg.Addr, DrainDelay: p.DrainDelay, Log: p.Log, Metrics: p.Metrics}
	var parts []service.Part
	if cfg.RabbitMQURL != "" {
		broker, err := bus.NewBroker(cfg.RabbitMQURL, name, p.Log)
		if err != nil {
			return err
		}
		serving.Report = broker.Report
		pages.Inspected(broker)
		notifications := broker.NewSubscription(live.Kinds, pages.Feed.Receive, pages.Feed.Joined)
		pages.Feed.Want = notifications.Want
		parts = append(parts, service.Part{Name: "notifications", Run: notifications.Run})
	}
	if cfg.TapRabbitMQURL != "" {
		broker, err := bus.NewBroker(cfg.TapRabbitMQURL, "tap", p.Log)
		if err != nil {
			return err
		}
		tap := broker.NewTap(messages.Commands(), slices.Sorted(maps.Keys(cfg.Services)), pages.Taps.Pass, pages.Taps.Joined)
		pages.Taps.Want = tap.Want
		pages.Lookout.Tap = func(pass func([]bus.Passage)) (leave func()) {
			leave = pages.Taps.Watch(pass)
			pages.Taps.Attend(ctx)
			return leave
		}
		parts = append(parts, service.Part{Name: "tap", Run: tap.Run})
	}
	server := web.New(serving)
	pages.Routes(server)
	// Streams go on during the drain delay, and then end like other requests.
	defer context.AfterFunc(ctx, func() { time.AfterFunc(p.DrainDelay, pages.Streams.End) })()
	return p.Run(ctx, append([]service.Part{{Name: "http", Run: server.Run}}, parts...)...)
}
