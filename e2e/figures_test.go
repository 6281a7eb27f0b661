package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/bench"
	"example.com/orderflow/local/system"
)

// figures are what docs/why.md tells of a run.
type figures struct {
	began   time.Time
	load    float64
	machine bench.Machine

	messages                sample   // everything runs
	calls                   []sample // by the number of services less one
	paid                    []time.Duration
	outages                 []outage
	slowMessages, slowCalls sample
}

// outage is what happens while a service is stopped, and after it was started again.
type outage struct {
	service          string
	messages, calls  sample
	refunds          int           // of the chain
	delivered, again time.Duration // until all orders by messages are delivered, and until the chain accepts one
}

// delivered reports whether all these orders are delivered.
func delivered(t *testing.T, s *system.System, ids []string) bool {
	t.Helper()
	n := read[int](t, s, `SELECT count(*)::int FROM orders WHERE id = ANY($1::uuid[]) AND status = 'delivered'`, ids)
	return n[0] == len(ids)
}

// paidAfter returns the times from the acceptance of orders until orders knew that they were paid.
func paidAfter(t *testing.T, s *system.System, ids []string) []time.Duration {
	t.Helper()
	paid := read[time.Duration](t, s, `
		SELECT min(t.at) - o.created_at
		FROM orders AS o
		JOIN timeline AS t ON t.order_id = o.id
		WHERE o.id = ANY($1::uuid[]) AND t.status = 'paid'
		GROUP BY o.id`, ids)
	if len(paid) != len(ids) {
		t.Fatalf("%d of %d orders are paid", len(paid), len(ids))
	}
	return paid
}

// read reads one column from the database of orders.
func read[T any](t *testing.T, s *system.System, sql string, ids []string) []T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.DatabaseURL("orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), sql, ids)
	if err != nil {
		t.Fatal(err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// loadAverage is how many processes have wanted a processor in the last minute; 0: the system does not say.
func loadAverage() (average float64) {
	text, _ := os.ReadFile("/proc/loadavg")
	_, _ = fmt.Sscan(string(text), &average)
	return average
}

const (
	measuredBegin = "<!-- measured: written by e2e/why_test.go -->\n"
	measuredEnd   = "<!-- end of measured -->\n"
)

// write writes the figures into the page. Without -update it only checks that there is a place for them.
func (f figures) write(t *testing.T) {
	t.Helper()
	page := filepath.Join(repo, "docs", "why.md")
	doc, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), measuredBegin)
	_, after, ok2 := strings.Cut(rest, measuredEnd)
	if !ok || !ok2 {
		t.Fatal("docs/why.md has no place for the figures")
	}
	t.Log(f)
	if *update {
		if err := os.WriteFile(page, []byte(before+measuredBegin+f.String()+measuredEnd+after), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (f figures) String() string {
	var b strings.Builder
	m := f.machine
	fmt.Fprintf(&b, "Measured on %s on one machine: %s, %d cores, %s, one `fsync` takes %d µs, Go %s.", f.began.Format(time.DateOnly), m.Processor, m.Cores, m.System, m.SyncMicros, m.Go)
	if f.load >= 1 {
		fmt.Fprintf(&b, "\nThe load average before it began was %.1f: other programs used the machine, too.", f.load)
	}
	b.WriteString("\n\n| everything runs; answered by | services that commit before the answer | orders | p50 | p99 |\n| --- | ---: | ---: | ---: | ---: |\n")
	fmt.Fprintf(&b, "| messages | 1 | %s |\n", f.messages)
	for i, calls := range f.calls {
		what := "a chain of " + strings.Join(inSequence[:i+1], " → ")
		if i == 0 {
			what = "a chain of one: orders"
		}
		fmt.Fprintf(&b, "| %s | %d | %s |\n", what, i+1, calls)
	}
	b.WriteString("\n| | messages: accepted | p50 | p99 | calls: accepted | p50 | p99 |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	row := func(what string, messages, calls sample) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", what, messages, calls)
	}
	row("everything runs", f.messages, f.calls[len(f.calls)-1])
	for _, away := range f.outages {
		row(away.service+" is stopped", away.messages, away.calls)
	}
	row(fmt.Sprintf("the payment provider needs %s", providerNeeds), f.slowMessages, f.slowCalls)
	b.WriteString("\n")
	for _, away := range f.outages {
		fmt.Fprintf(&b, "- After %s was back, all %d orders that had been accepted by messages meanwhile were delivered within %s. The chain accepted an order\n  again after %s. It had made and refunded %d charges for orders that it did not accept.\n",
			away.service, len(away.messages.accepted), seconds(away.delivered), seconds(away.again), away.refunds)
	}
	fmt.Fprintf(&b, "- When everything ran, an order by messages was paid %s after it was accepted (p50; p99 %s).\n",
		millis(quantile(f.paid, 0.5)), millis(quantile(f.paid, 0.99)))
	return b.String()
}

func (s sample) share() string { return fmt.Sprintf("%d of %d", len(s.accepted), len(s.took)) }

func (s sample) String() string {
	return fmt.Sprintf("%s | %s | %s", s.share(), millis(quantile(s.took, 0.5)), millis(quantile(s.took, 0.99)))
}

func millis(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
