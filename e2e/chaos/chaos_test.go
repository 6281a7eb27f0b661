package chaos

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/audit"
	"example.com/orderflow/local/system"
)

var (
	duration = flag.Duration("duration", 0, "how long the faults go on; 0: the test of the whole system is skipped")
	seed     = flag.Uint64("seed", 7, "what the plan of faults is computed from")
	report   = flag.String("report", "", "the page that the outcome is written into")
	mutated  = flag.String("mutant", "", "the mutant that the programs are built with (mutants.go)")
)

// settings make the outside world fast and the timeouts short. They change nothing else.
var settings = map[string][]string{
	"simulator": {"CARRIER_PACE=400ms", "SUPPLIER_LEAD_TIME=1s"},
	"orders":    {"STEP_TIMEOUT=5s", "LONGEST_TIMEOUT=20s", "TIMEOUT_TRIES=20"},
}

const (
	shoppers = 10
	crowd    = 300             // the number of orders under way from which customers wait
	quiet    = 5 * time.Minute // bounds the time until the system is at rest

	longToRecover = 20 * time.Second // a recovery that is logged
)

func TestNothingIsLostOrChargedTwiceWhateverHappens(t *testing.T) {
	if *duration == 0 {
		t.Skip("takes a system for itself, and minutes: make chaos DURATION=4m")
	}
	if *report != "" && *mutated == "" {
		if _, _, err := around(*report, "make chaos"); err != nil {
			t.Fatal(err)
		}
	}
	plan := Plan(*seed, *duration)
	write(t.Output(), plan)

	network := NewNetwork()
	t.Cleanup(network.Close)
	clocks := clocks{t.TempDir()}
	repo, s := start(t, network, clocks)
	client := stories.New(t, stories.World{Gateway: s.GatewayURL, Simulator: s.SimulatorURL})
	outcome := Outcome{Seed: *seed, Began: time.Now(), Shoppers: shoppers}
	load := client.StartLoadOf(customers(client, crowded(t, s)))
	var done []Done
	for range 3 { // a short plan has each kind only once or twice, and a fault may hit nothing
		more, err := play(t.Context(), target{s, network, clocks}, unnoticed(plan, done), t.Output())
		if err != nil {
			t.Error(err)
		}
		done = append(done, more...)
	}
	_ = sleep(t.Context(), coolDown)
	load.Stop()
	for _, p := range s.Parts() {
		if p.State() != "running" {
			t.Errorf("%s is %s", p.Name, p.State())
		}
	}

	sources := audit.Of(s, repo)
	var err error
	timeout := quiet
	if *mutated != "" {
		timeout = time.Minute // a breach does not go away
	}
	outcome.Audit, err = audit.Await(t.Context(), sources, audit.Expectations{Accepted: load.Accepted()}, timeout)
	if err != nil {
		t.Fatal(err)
	}
	orders, err := audit.Orders(t.Context(), sources)
	if err != nil {
		t.Fatal(err)
	}
	outcome.Lasted, outcome.Done, outcome.Orders = time.Since(outcome.Began), done, orders
	outcome.Accepted, outcome.SentAgain = load.AcceptedAt(), load.SentAgain()

	outcome.Audit.Print(t.Output())
	all := lives(outcome.Orders, outcome.Accepted)
	for _, d := range done {
		if took, ok := recovered(d, done, all); ok && took > longToRecover {
			t.Logf("recovered only after %s: %s, healed at %s", took.Round(time.Second), d, d.Healed.UTC().Format(time.TimeOnly))
		}
	}
	t.Log("\n" + outcome.Markdown())
	if !outcome.Audit.OK() {
		t.Error("the books do not agree")
	}
	for _, r := range tabulate(done, nil, nil) {
		if r.times == 0 {
			t.Errorf("%q has not happened", r.kind)
		}
	}
	if *report != "" && *mutated == "" {
		if err := writeInto(*report, "make chaos", outcome.Markdown()); err != nil {
			t.Error(err)
		}
	}
}

// customers want everything that the simulated world can do, change their minds at any moment, and click twice.
func customers(c *stories.Client, crowded func() bool) stories.Habits {
	plenty, scarce, none := c.Product(1_000_000, 0, 0), c.Product(20, 8, 12), c.Product(0, 0, 0)
	wishes := []stories.Wish{
		{SKU: plenty},
		{SKU: plenty},
		{SKU: plenty},
		{SKU: plenty, Quantity: 3},
		{SKU: plenty, Card: "tok_flaky"},
		{SKU: plenty, Card: "tok_timeout"},
		{SKU: plenty, Card: "tok_declined"},
		{SKU: plenty, Postal: "00000"},
		{SKU: scarce, Quantity: 2, Backorder: true},
		{SKU: scarce},
		{SKU: none},
	}
	return stories.Habits{
		Shoppers: shoppers,
		Pause:    300 * time.Millisecond,
		Want:     func() stories.Wish { return wishes[rand.IntN(len(wishes))] },
		Crowded:  crowded,
		Regret:   func() (time.Duration, bool) { return rand.N(3 * time.Second), rand.IntN(5) == 0 },
		Twice:    0.1,
	}
}

// crowded reports whether so many orders are under way that customers wait. Otherwise a machine that is a little too slow
// would have an hour's orders left at the end, and would send their commands again and again meanwhile.
func crowded(t *testing.T, s *system.System) func() bool {
	t.Helper()
	var under atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	t.Cleanup(func() {
		stop()
		looking.Wait()
	})
	looking.Go(func() {
		for sleep(ctx, time.Second) == nil {
			if n, err := stories.UnderWay(ctx, s.DatabaseURL("orders")); err == nil { // the database may be away
				under.Store(int64(n))
			}
		}
	})
	return func() bool { return under.Load() >= crowd }
}

// start starts a system with two replicas of each program that can have several. Its programs reach each other through a
// network. Its folder is kept when the test fails.
func start(t *testing.T, network *Network, clocks clocks) (repo string, s *system.System) {
	t.Helper()
	repo, err := system.FindRepo(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := stories.Folder(t)
	programs := filepath.Join(dir, "bin")
	movable, err := clocks.overlay(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mutant, err := mutate(*mutated, repo, dir)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := flagOf(dir, movable, mutant)
	if err != nil {
		t.Fatal(err)
	}
	if err := system.Build(t.Context(), repo, programs, changes); err != nil {
		t.Fatal(err)
	}
	s, err = system.Start(context.WithoutCancel(t.Context()), system.Options{
		Dir: dir, Binaries: programs, Env: settings, Amend: func(program string, env []string) ([]string, error) { return network.Amend(program, clocks.amend(env)) }, Log: t.Output(),
		Replicas: system.Each(2),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Stop(), panics(s)); err != nil {
			t.Error(err)
		}
	})
	return repo, s
}

// panics looks for programs that ended by a panic.
func panics(s *system.System) error {
	var found []error
	for _, p := range s.Programs() {
		log, err := os.ReadFile(p.LogFile())
		for _, cry := range []string{"\npanic: ", "\nfatal error: ", "WARNING: DATA RACE"} {
			if i := bytes.Index(log, []byte(cry)); i >= 0 {
				err = errors.Join(err, errors.New(p.Name+": "+string(log[i:min(len(log), i+2000)])))
			}
		}
		found = append(found, err)
	}
	return errors.Join(found...)
}
