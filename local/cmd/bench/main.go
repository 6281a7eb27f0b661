// Bench measures Orderflow on this machine and writes the results: see example.com/orderflow/local/bench. Nothing else should
// run on the machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"example.com/orderflow/local/bench"
	"example.com/orderflow/local/process"
	"example.com/orderflow/local/system"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	o := bench.Options{Out: os.Stdout}
	flags.DurationVar(&o.Duration, "duration", time.Minute, "how long throughput is measured at a time")
	flags.Uint64Var(&o.Seed, "seed", 7, "of the moments at which orders arrive")
	flags.IntVar(&o.Past, "past", 1_000_000, "orders that are in the tables before past1m; past10k has at most 10000")
	flags.IntVar(&o.Backlog, "backlog", 200_000, "messages that wait in backlog")
	only := flags.String("only", "", "measure these rows only, separated by commas: "+strings.Join(bench.Names(), ", ")+"; a beginning such as past is enough")
	dir := flags.String("dir", "", "folder for programs, data and results (JSON); default: .local/bench in the checkout")
	docs := flags.String("docs", "", "write the docs here, whatever was measured; default: docs/benchmarks.md, if -duration is at least "+bench.Shortest.String())
	render := flags.Bool("render", false, "measure nothing: write the docs again, of the results that there are")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.Duration < time.Second || o.Past < 1 || o.Backlog < 1 {
		return errors.New("-duration has to be 1s at least, -past and -backlog 1")
	}
	repo, err := system.FindRepo(".")
	if err != nil {
		return err
	}
	o.Repo, o.Dir = repo, *dir
	if o.Dir == "" {
		o.Dir = filepath.Join(repo, ".local", "bench")
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	results, err := measure(ctx, o, *render)
	if err != nil {
		return err
	}
	fmt.Print("\n" + bench.Tables(results))
	path := *docs
	switch {
	case path == "" && o.Trial():
		fmt.Printf("\nThe docs are not written: %s are too short for figures that are to be kept.\n", o.Duration)
		return nil
	case path == "":
		path = filepath.Join(repo, "docs", "benchmarks.md")
	}
	if err := bench.WriteDocs(path, results); err != nil {
		return err
	}
	fmt.Printf("\nwritten: %s\n", path)
	return nil
}

func measure(ctx context.Context, o bench.Options, render bool) (bench.Results, error) {
	if render {
		return bench.ReadResults(o.Path())
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return bench.Results{}, fmt.Errorf("folder of the benchmark: %w", err)
	}
	lock, err := process.Lock(filepath.Join(o.Dir, "lock"))
	if err != nil {
		return bench.Results{}, fmt.Errorf("another benchmark runs in %s: %w", o.Dir, err)
	}
	defer lock.Close() //nolint:errcheck // nothing was written to it
	return bench.Run(ctx, o)
}
