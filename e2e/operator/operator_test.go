// Package operator tests an operator's actions after a failure, in the operator's own way: over HTTP, through the gateway,
// with their own token, while programs and servers are killed.
package operator

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/audit"
	"example.com/orderflow/local/system"
	"github.com/jackc/pgx/v5"
)

// repo is the checkout, and programs the folder of the compiled programs, made once for all tests.
var repo, programs string

func TestMain(m *testing.M) { stories.Main(m, &repo, &programs) }

// office is a system and its users.
type office struct {
	*stories.Client
	*system.System
}

// open starts a system with two replicas of each service.
func open(t *testing.T, env map[string][]string) office {
	t.Helper()
	dir := stories.Folder(t)
	s, err := system.Start(context.WithoutCancel(t.Context()), system.Options{
		Dir: dir, Binaries: programs, Env: env, Log: t.Output(),
		Replicas: system.Each(2),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return office{stories.New(t, stories.World{Gateway: s.GatewayURL, Simulator: s.SimulatorURL}), s}
}

// sql executes a statement in the database of a service.
func (o office) sql(service, statement string, arguments ...any) {
	o.Helper()
	o.in(service, func(conn *pgx.Conn) error {
		_, err := conn.Exec(o.Context(), statement, arguments...)
		return err
	})
}

// count reads a number from the database of a service.
func (o office) count(service, query string, arguments ...any) (n int) {
	o.Helper()
	o.in(service, func(conn *pgx.Conn) error {
		return conn.QueryRow(o.Context(), query, arguments...).Scan(&n)
	})
	return n
}

func (o office) in(service string, use func(*pgx.Conn) error) {
	o.Helper()
	conn, err := pgx.Connect(o.Context(), o.DatabaseURL(service))
	if err != nil {
		o.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(o.Context())) //nolint:errcheck // nothing is lost by it
	if err := use(conn); err != nil {
		o.Fatalf("in the database of %s: %v", service, err)
	}
}

// trapped is part of the error of a row that a trap refused.
const trapped = "caught in a trap"

// trap makes a service's database refuse rows that meet a condition, as a wrong constraint would.
func (o office) trap(service, operation, table, condition string) {
	o.Helper()
	o.sql(service, `
		CREATE OR REPLACE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION '`+trapped+`' USING ERRCODE = 'check_violation'; END $$`)
	o.sql(service, fmt.Sprintf(`CREATE TRIGGER trap BEFORE %s ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION trap()`, operation, table, condition))
}

// mend removes a service's traps.
func (o office) mend(service string) {
	o.Helper()
	o.sql(service, `DROP FUNCTION trap CASCADE`)
}

// hurry lets the deadline of an order pass now.
func (o office) hurry(order string) {
	o.Helper()
	o.sql("orders", `UPDATE orders SET due_at = now() WHERE id = $1`, order)
}

// faults sets the faults of the outside world; {}: none.
func (o office) faults(faults string) {
	o.Helper()
	if a, err := stories.Send(o.Context(), http.MethodPut, o.SimulatorURL+"/faults", faults); err != nil || a.Status != http.StatusOK {
		o.Fatalf("faults: %v %d %s", err, a.Status, a.Body)
	}
}

// again kills parts as kill -9 does, and starts them again.
func (o office) again(names ...string) {
	o.Helper()
	for _, name := range names {
		for _, p := range o.Named(name) {
			p.Kill()
		}
	}
	for _, name := range names {
		for _, p := range o.Named(name) {
			if err := p.Start(o.Context()); err != nil {
				o.Error(err)
			}
		}
	}
}

// audited audits the system when it is at rest.
func (o office) audited(accepted []string) {
	o.Helper()
	const rest = 90 * time.Second
	report, err := audit.Await(o.Context(), audit.Of(o.System, repo), audit.Expectations{Accepted: accepted}, rest)
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		o.Error(err)
		return
	}
	o.Log(report.Summary())
}
