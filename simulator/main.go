// Program simulator is the world outside Orderflow: a payment provider with its own ledger, a parcel carrier and a supplier,
// each under its own base path, and customers, who order when they are told to. It shares no code with the system on purpose. The two can agree only through HTTP, and the
// simulator's books can be compared with what the system believes.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/caarlos0/env/v11"
)

const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	shutdownWithin = 3 * time.Second
)

type config struct {
	HTTPAddr     string     `env:"HTTP_ADDR" envDefault:"127.0.0.1:8090"`  // where it listens
	Data         string     `env:"SIMULATOR_DATA"`                         // folder of the journal; empty: everything is forgotten when the program ends
	LogLevel     slog.Level `env:"LOG_LEVEL" envDefault:"info"`            // `debug`, `info`, `warn` or `error`
	DrainDelay   duration   `env:"DRAIN_DELAY" envDefault:"0s"`            // between going unready and refusing requests
	TimeoutHold  duration   `env:"PROVIDER_TIMEOUT_HOLD" envDefault:"30s"` // how long `tok_timeout` keeps its caller waiting
	CarrierPace  duration   `env:"CARRIER_PACE" envDefault:"8s"`           // from each stage of a shipment to the next; 0: all at once. `PUT /carrier/pace` changes it
	HoldFor      duration   `env:"CARRIER_HOLD_FOR" envDefault:"10m"`      // how long a courier who does nothing holds parcels (`PUT /carrier/hands`)
	SupplierLead duration   `env:"SUPPLIER_LEAD_TIME" envDefault:"5s"`     // from an order to its delivery
	GatewayURL   string     `env:"GATEWAY_URL"`                            // the shop at which customers order, who are sent by `PUT /customers`; empty: there are none
	DemoSecret   string     `env:"DEMO_SECRET"`                            // the secret with which they get tokens there; empty: there are none
	Faults       faults     // at the start; PUT /faults changes them
}

func main() {
	cfg, err := env.ParseAs[config]()
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulator: the settings are not right:", err) // lists all wrong settings
		os.Exit(2)
	}
	if slices.Equal(os.Args[1:], []string{"-health"}) {
		if err := health(cfg.HTTPAddr); err != nil {
			fmt.Fprintln(os.Stderr, "simulator is not ready:", err)
			os.Exit(1)
		}
		return
	}
	time.Local = time.UTC // times in the log are in UTC, whatever TZ says
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.LogLevel})).With("program", "simulator")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, cfg, log); err != nil {
		log.Error("stopped by an error", "error", err)
		os.Exit(1)
	}
	log.Info("stopped")
}

// run runs the outside world until ctx ends.
func run(ctx context.Context, cfg config, log *slog.Logger) error {
	world, err := newWorld(cfg, now, log)
	if err != nil {
		return err
	}
	defer world.customers.leave()
	return cmp.Or(serveWorld(ctx, cfg, world, log), world.journal.close())
}

// now returns the real time, in the precision of the API.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// serveWorld serves until ctx ends. Then it answers "not ready" for the drain delay, and at last ends requests that still wait:
// those with tok_timeout would delay the stop for too long.
func serveWorld(ctx context.Context, cfg config, world *world, log *slog.Logger) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	requests, endWaits := context.WithCancel(context.WithoutCancel(ctx))
	defer endWaits()
	server := &http.Server{
		Handler:           world.routes(),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	server.RegisterOnShutdown(endWaits)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	log.Info("serving", "addr", listener.Addr().String(), "data", cfg.Data)

	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	world.draining.Store(true)
	time.Sleep(time.Duration(cfg.DrainDelay))
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		return server.Close() // requests that have not finished in time
	}
	return nil
}
