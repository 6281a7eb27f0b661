// Package cluster tests Orderflow with clusters of servers: what happens to orders when a node of RabbitMQ or the primary of
// PostgreSQL fails, is cut off, or is replaced as planned.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/audit"
	"example.com/orderflow/local/shop"
	"example.com/orderflow/local/system"
	"github.com/google/uuid"
)

// settings make the outside world fast and the timeouts short. They change nothing else.
var settings = map[string][]string{
	"simulator": {"CARRIER_PACE=400ms", "SUPPLIER_LEAD_TIME=1s"},
	"orders":    {"STEP_TIMEOUT=5s", "LONGEST_TIMEOUT=20s", "TIMEOUT_TRIES=20"},
}

// rest bounds the time until the system is at rest after its orders have ended.
const rest = 90 * time.Second

// trial is a system under load on servers of the test.
type trial struct {
	*testing.T
	*system.System
	client *stories.Client
	load   *stories.Load
	sku    string // a product with plenty of stock
	repo   string
}

// begin starts a system on these servers in a folder, and the load.
func begin(t *testing.T, dir string, options system.Options) *trial {
	t.Helper()
	repo, err := system.FindRepo(".")
	if err != nil {
		t.Fatal(err)
	}
	options.Dir, options.Binaries, options.Env, options.Log = dir, filepath.Join(dir, "bin"), settings, t.Output()
	if err := system.Build(t.Context(), repo, options.Binaries); err != nil {
		t.Fatal(err)
	}
	s, err := system.Start(context.WithoutCancel(t.Context()), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(complaints(s))
		}
	})
	client := stories.New(t, stories.World{Gateway: s.GatewayURL, Simulator: s.SimulatorURL})
	return &trial{T: t, System: s, client: client, repo: repo, sku: client.Product(1000, 0, 0), load: client.StartLoad()}
}

// finish ends the load and audits the system.
func (t *trial) finish() {
	t.Helper()
	if n := t.load.Finish(); n < 100 {
		t.Errorf("only %d orders were accepted: that is no load", n)
	}
	report, err := audit.Await(t.Context(), audit.Of(t.System, t.repo), audit.Expectations{Accepted: t.load.Accepted()}, rest)
	if err != nil {
		t.Fatal(err)
	}
	report.Print(t.Output())
	if !report.OK() {
		t.Error("the books do not agree")
	}
}

// delivers waits until a new order is delivered, and logs how long that took.
func (t *trial) delivers(after string) {
	t.Helper()
	began, key := time.Now(), uuid.NewString()
	var placed shop.Placed
	t.until("an order is accepted "+after, func() bool {
		var err error
		placed, err = t.client.As("alice").Place(t.Context(), key, stories.Wish{SKU: t.sku}.Order())
		return err == nil
	})
	accepted := time.Since(began)
	if end := t.client.End(placed.ID); end.Status != "delivered" {
		t.Errorf("an order %s ended %s (%s)", after, end.Status, end.Reason)
	}
	t.Logf("%s: an order was accepted after %.1f s and delivered after %.1f s", after, accepted.Seconds(), time.Since(began).Seconds())
}

func (t *trial) until(what string, holds func() bool) {
	t.Helper()
	stories.Until(t, what, holds)
}

// must ends the test on an error.
func must(t testing.TB, failed ...error) {
	t.Helper()
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
}

// folder is a folder for the test, or skips it. PostgreSQL, which may have to run as another user, can reach it.
func folder(t *testing.T) string {
	t.Helper()
	if os.Getenv("TEST_CLUSTER") == "" {
		t.Skip("takes several servers, and minutes: make test-cluster")
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o711))
	return dir
}

// complaints are the last lines of the programs' logs that report a problem.
func complaints(s *system.System) string {
	var all strings.Builder
	for _, p := range s.Programs() {
		log, err := os.ReadFile(p.LogFile())
		if err != nil {
			fmt.Fprintln(&all, err)
		}
		var bad []string
		for line := range strings.Lines(string(log)) {
			if !strings.Contains(line, `"level":"INFO"`) {
				bad = append(bad, line)
			}
		}
		fmt.Fprintf(&all, "%s:\n%s", p.Name, strings.Join(bad[max(0, len(bad)-10):], ""))
	}
	return all.String()
}
