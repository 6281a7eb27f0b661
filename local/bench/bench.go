package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/local/system"
)

// Options says what to measure and where.
type Options struct {
	Repo     string        // root of the checkout
	Dir      string        // for programs, data and results
	Out      io.Writer     // gets a line for each event
	Duration time.Duration // of each measurement of throughput; latencies take half of it
	Seed     uint64        // of the arrival times in open loops
	Only     []string      // names of rows, or prefixes of names; empty: all
	Past     int           // orders of the row past1m
	Backlog  int           // messages of the row backlog
}

// bench is one run of the benchmark.
type bench struct {
	options  Options
	binaries string
	results  Results
	began    time.Time
}

// plan is a row and the function that measures it.
type plan struct {
	name string
	run  func(*bench, context.Context, *Row) error
}

// plans are all rows, in the order in which they are measured and shown.
func plans(o Options) []plan {
	past := func(orders int) func(*bench, context.Context, *Row) error {
		return func(b *bench, ctx context.Context, row *Row) error { return b.past(ctx, row, orders) }
	}
	replicas := func(n int) func(*bench, context.Context, *Row) error {
		return func(b *bench, ctx context.Context, row *Row) error { return b.replicated(ctx, row, n) }
	}
	return []plan{
		{"floor", (*bench).floor},
		{"naive", (*bench).naive},
		{"saga", (*bench).saga},
		{"past10k", past(min(10_000, o.Past))},
		{"past1m", past(o.Past)},
		{"replicas2", replicas(2)},
		{"replicas4", replicas(4)},
		{"backlog", (*bench).piledUp},
	}
}

// Names are the names of all rows.
func Names() (names []string) {
	for _, p := range plans(Options{}) {
		names = append(names, p.name)
	}
	return names
}

// chosen returns the plans with the given names.
func chosen(all []plan, only []string) ([]plan, error) {
	if len(only) == 0 {
		return all, nil
	}
	for _, want := range only {
		if !slices.ContainsFunc(all, func(p plan) bool { return strings.HasPrefix(p.name, want) }) {
			return nil, fmt.Errorf("there is no row %q; there are %s", want, strings.Join(Names(), ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(p plan) bool {
		return !slices.ContainsFunc(only, func(want string) bool { return strings.HasPrefix(p.name, want) })
	}), nil
}

// Run measures the requested rows, one after another, and returns them together with those of earlier runs. Each row is
// saved when it is done. An audit that finds a breach ends the run with an error.
func Run(ctx context.Context, o Options) (Results, error) {
	rows, err := chosen(plans(o), o.Only)
	if err != nil {
		return Results{}, err
	}
	o.Dir, err = filepath.Abs(o.Dir)
	if err != nil {
		return Results{}, fmt.Errorf("folder of the benchmark: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return Results{}, fmt.Errorf("folder of the benchmark: %w", err)
	}
	b := &bench{options: o, binaries: filepath.Join(o.Dir, "programs"), began: time.Now()}
	if b.results, err = ReadResults(o.Path()); err != nil {
		return Results{}, err
	}
	machine := Describe(o.Dir)
	machine.PostgreSQL, machine.RabbitMQ = b.results.Machine.PostgreSQL, b.results.Machine.RabbitMQ
	b.results.Machine = machine
	b.tell("the programs are being built")
	if err := system.Build(ctx, o.Repo, b.binaries); err != nil {
		return Results{}, err
	}
	for _, p := range rows {
		if err := b.row(ctx, p); err != nil {
			return b.results, fmt.Errorf("%s: %w; its logs are in %s", p.name, err, b.data())
		}
	}
	return b.results, b.clear()
}

func (b *bench) row(ctx context.Context, p plan) error {
	row := Row{
		Name: p.name, At: time.Now().UTC().Truncate(time.Second), Commit: commitOf(ctx, b.options.Repo),
		Window: b.options.Duration, Seed: b.options.Seed, Replicas: 1,
	}
	b.tell("%s", p.name)
	if err := p.run(b, ctx, &row); err != nil {
		return err
	}
	row.Took = time.Since(row.At).Round(time.Second)
	if row.Others > othersMost {
		b.tell("something else on this machine has used %.2f cores meanwhile: measure %s again when it is quiet", row.Others, p.name)
	}
	b.results.put(row)
	return b.results.write(b.options.Path())
}

// othersMost is how many cores other programs may use before a row records it.
const othersMost = 0.1

func (b *bench) data() string { return filepath.Join(b.options.Dir, "data") }

// Shortest is the shortest measurement of throughput whose figures are kept.
const Shortest = 30 * time.Second

// Trial reports whether the run is too short for its figures to be kept.
func (o Options) Trial() bool { return o.Duration < Shortest }

// Path is where the results are. The results of a trial have a path of their own.
func (o Options) Path() string {
	name := "results.json"
	if o.Trial() {
		name = "trial.json"
	}
	return filepath.Join(o.Dir, name)
}

// tell writes a line, with the time since the run began.
func (b *bench) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(b.options.Out, "%5.0f s  "+format+"\n", append([]any{time.Since(b.began).Seconds()}, args...)...)
}
