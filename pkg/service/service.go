// Package service runs a program: reads its settings, starts its parts, and stops them from the outside in.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"example.com/orderflow/pkg/telemetry"
	"github.com/caarlos0/env/v11"
)

// StopWithin is how long all parts of a program together may take to stop. A Kubernetes pod has 30 seconds.
const StopWithin = 25 * time.Second

// growth is how much the heap of a service may grow before a collection, in percent of the live heap
// (https://go.dev/doc/gc-guide#GOGC). Go's default is 100. A service has a few megabytes alive; collecting them for each
// few megabytes that a batch allocates took a sixth of its CPU. The gateway and bff-web hold thousands of streams and keep
// the default. GOMEMLIMIT, which each deployment sets, has precedence.
const growth = 400

// Settings are the settings that every program has. A program's config embeds them.
type Settings struct {
	LogLevel   slog.Level    `env:"LOG_LEVEL" envDefault:"info"` // `debug`, `info`, `warn` or `error`
	DrainDelay time.Duration `env:"DRAIN_DELAY" envDefault:"0s"` // between going unready and refusing requests: as long as load balancers need to notice. It is a part of the 25 s for stopping
	telemetry.Traces
}

func (s Settings) common() Settings { return s }

// Program is given to every run function.
type Program struct {
	Settings
	Name    string
	Log     *slog.Logger
	Metrics http.Handler // of /metrics
}

// version is set when a release is built: -ldflags "-X example.com/orderflow/pkg/service.version=1.2.3".
var version = "dev"

// Main is the body of every main function. It reads the settings into C from the environment, calls run with a context
// that ends at SIGTERM or SIGINT, and exits: 0 after an orderly stop, 1 after an error, 2 when the settings are wrong.
// A second signal ends the program at once.
//
// With the argument -health it instead asks the program that runs with these settings whether it is ready, and exits with 0
// if it is, or with 1 and the reason on stderr.
func Main[C interface{ common() Settings }](name string, run func(ctx context.Context, p *Program, cfg C) error) {
	if slices.Equal(os.Args[1:], []string{"-health"}) {
		if err := health[C](); err != nil {
			fmt.Fprintf(os.Stderr, "%s is not ready: %v\n", name, err)
			os.Exit(1)
		}
		return
	}
	cfg, err := env.ParseAs[C]()
	if err != nil {
		fmt.Fprint(os.Stderr, mistakes(name, cfg, err))
		os.Exit(2)
	}
	if _, ok := any(cfg).(interface{ dependencies() Dependencies }); ok && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
	time.Local = time.UTC // times in logs and messages can be compared, whatever TZ says
	log := slog.New(traced{slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.common().LogLevel})}).With("program", name)
	metrics, stop, err := telemetry.Start(name, version)
	var flush func(context.Context)
	if err == nil {
		flush, err = telemetry.Trace(context.Background(), name, version, cfg.common().Traces, log)
	}
	if err == nil {
		ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		context.AfterFunc(ctx, cancel) // from now on a signal has its usual effect
		err = run(ctx, &Program{cfg.common(), name, log, metrics}, cfg)
		if ctx.Err() != nil && errors.Is(err, context.Canceled) { // the program was told to stop before it was up
			err = nil
		}
		flush(context.WithoutCancel(ctx))
		stop(context.WithoutCancel(ctx))
	}
	if err != nil {
		log.Error("stopped by an error", "error", err)
		os.Exit(1)
	}
	log.Info("stopped")
}

// Part is a part of a program, which runs as long as the program does.
type Part struct {
	Name string
	Run  func(ctx context.Context) error // until ctx ends, and then finishes what it has in hand
}

// Run runs parts, which are listed from the outermost to the innermost. They are started from the inside out. When ctx
// ends, or as soon as one part has ended, they are stopped from the outside in: each is told to stop when the one before it
// has stopped. Run returns the first error of a part, or an error when they did not stop within StopWithin.
func (p *Program) Run(ctx context.Context, parts ...Part) error {
	type ended struct {
		index int
		err   error
	}
	ends := make(chan ended, len(parts))
	stops := make([]context.CancelFunc, len(parts))
	for i, part := range slices.Backward(parts) {
		partCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		stops[i] = stop
		go func() { ends <- ended{i, part.Run(partCtx)} }()
	}
	p.Log.InfoContext(ctx, "running", "version", version, "parts", len(parts))

	var failed error
	over := make([]bool, len(parts))
	note := func(e ended) {
		over[e.index] = true
		if e.err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", parts[e.index].Name, e.err)
		}
	}
	select {
	case <-ctx.Done():
	case e := <-ends:
		note(e)
	}
	p.Log.InfoContext(ctx, "stopping")
	deadline := time.After(StopWithin)
	for i := range parts {
		stops[i]()
		for !over[i] {
			select {
			case e := <-ends:
				note(e)
			case <-deadline:
				return errors.Join(failed, fmt.Errorf("%s did not stop within %s", parts[i].Name, StopWithin))
			}
		}
	}
	return failed
}

// traced adds the trace id to every line that is logged with a context, and the id of the span if one is recorded.
type traced struct{ slog.Handler }

func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if id := telemetry.TraceID(ctx); id != "" {
		r.AddAttrs(slog.String("trace_id", id))
	}
	if id := telemetry.SpanID(ctx); id != "" {
		r.AddAttrs(slog.String("span_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }

func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }

// Dependencies are the further settings of a service with a database. Its config embeds them.
type Dependencies struct {
	DatabaseURL string `env:"DATABASE_URL,required,notEmpty"` // `postgres://…`, with the service's own role and database
	RabbitMQURL string `env:"RABBITMQ_URL,required,notEmpty"` // `amqp://…` or `amqps://…`, with the service's own account; the path is the vhost. For a cluster: a list, one URL for each node
}

func (d Dependencies) dependencies() Dependencies { return d }
