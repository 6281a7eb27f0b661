package observability

import (
	"context"
	"maps"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/system"
)

// outage is a running system in which things are broken, one after another, and the Prometheus that watches it.
type outage struct {
	*system.System
	*stories.Client
	*prometheus
	fired map[string]bool
}

// Each alert fires when what it is for has happened in a running system, and is silent when it is over. After that, everything that
// dashboards and alerts ask for has been there.
func TestEachAlertFiresAndEachMetricExists(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL may have to run as another user
		t.Fatal(err)
	}
	s, err := system.Start(t.Context(), system.Options{Dir: dir, Binaries: programs, Env: map[string][]string{
		"simulator": {"CARRIER_PACE=400ms", "SUPPLIER_LEAD_TIME=1s"},
		"orders":    {"STEP_TIMEOUT=4s", "LONGEST_TIMEOUT=4s", "TIMEOUT_TRIES=3"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := stories.New(t, stories.World{Gateway: s.GatewayURL, Simulator: s.SimulatorURL})
	o := &outage{s, c, watch(t, s), map[string]bool{}}

	sku := c.Product(1000, 0, 0)
	for _, wish := range []stories.Wish{{SKU: sku}, {SKU: sku, Card: "tok_declined"}, {SKU: c.Product(0, 0, 0)}} {
		c.End(c.Place(wish))
	}
	time.Sleep(10 * every) // longer than most rules wait
	for name := range alerts(t) {
		if o.fires(name) {
			t.Errorf("%s fires although all is well", name)
		}
	}
	o.providerAway(sku)
	o.supplierAway()
	o.handlersFail(sku)
	o.databaseSlow()
	o.databaseAway(sku)
	o.programHangs()
	o.programAway(sku)
	o.brokerAway(sku)
	o.Poison()

	for name := range alerts(t) {
		if !o.fired[name] {
			t.Errorf("%s has not fired", name)
		}
	}
	o.existed()
}

// expect waits until alerts fire.
func (o *outage) expect(names ...string) {
	o.Helper()
	for _, name := range names {
		begun := time.Now()
		stories.Until(o, name+" fires", func() bool { return o.fires(name) })
		o.Logf("%s fires after %s", name, time.Since(begun).Round(time.Second))
		o.fired[name] = true
	}
}

// over waits until alerts no longer fire.
func (o *outage) over(names ...string) {
	o.Helper()
	for _, name := range names {
		stories.Until(o, name+" is over", func() bool { return !o.fires(name) })
	}
}

// faulty sets the faults of the world outside.
func (o *outage) faulty(faults string) {
	o.Helper()
	answer, err := stories.Send(o.Context(), http.MethodPut, o.SimulatorURL+"/faults", faults)
	if err != nil || answer.Status != http.StatusOK {
		o.Fatalf("faults: %v %v", answer, err)
	}
}

// sql runs statements in a service's database as a superuser.
func (o *outage) sql(service string, statements ...string) {
	o.Helper()
	cfg, err := pgx.ParseConfig(o.Databases.URL)
	if err != nil {
		o.Fatal(err)
	}
	cfg.Database = service
	conn, err := pgx.ConnectConfig(o.Context(), cfg)
	if err != nil {
		o.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(o.Context())) //nolint:errcheck // nothing is lost with it
	for _, statement := range statements {
		if _, err := conn.Exec(o.Context(), statement); err != nil {
			o.Fatalf("%s: %v", statement, err)
		}
	}
}

// whileAsking lets operators look at a payment, several at once, while something happens.
func (o *outage) whileAsking(id string, do func()) {
	o.Helper()
	ctx, stop := context.WithCancel(o.Context())
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for ctx.Err() == nil {
				_, _ = o.Call("olga", http.MethodGet, "/api/payments/"+id, "") // it is meant to fail or to take long
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	do()
	stop()
	asking.Wait()
}

func (o *outage) providerAway(sku string) {
	o.faulty(`{"provider": {"down": true}}`)
	for range 3 {
		o.Place(stories.Wish{SKU: sku})
	}
	o.expect("BreakerOpen", "OrdersWithoutProgress", "OrdersNeedAttention", "PaymentsUnsettled")
	o.faulty(`{}`)
	o.over("BreakerOpen", "OrdersWithoutProgress", "OrdersNeedAttention", "PaymentsUnsettled")
}

func (o *outage) supplierAway() {
	o.faulty(`{"supplier": {"down": true}}`)
	id := o.Place(stories.Wish{SKU: o.Product(0, 5, 10), Backorder: true})
	o.expect("SupplierOrdersFail")
	o.faulty(`{}`)
	o.over("SupplierOrdersFail")
	o.End(id)
}

// handlersFail is a mistake in a release: a table refuses what the service wants to store.
func (o *outage) handlersFail(sku string) {
	o.sql("payments", `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a mistake'; END $$`,
		`CREATE TRIGGER refuse BEFORE INSERT ON payments EXECUTE FUNCTION refuse()`)
	stories.Until(o, "HandlersFail fires", func() bool {
		o.Place(stories.Wish{SKU: sku})
		time.Sleep(every)
		return o.fires("HandlersFail")
	})
	o.fired["HandlersFail"] = true
	o.sql("payments", `DROP TRIGGER refuse ON payments`)
	o.over("HandlersFail")
}

// databaseSlow locks a table again and again, for less time than anybody waits for it.
func (o *outage) databaseSlow() {
	o.whileAsking("00000000-0000-7000-8000-000000000000", func() {
		stories.Until(o, "RequestsSlow fires", func() bool {
			o.sql("payments", `LOCK TABLE payments IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3.5)`)
			return o.fires("RequestsSlow")
		})
		o.fired["RequestsSlow"] = true
	})
	o.over("RequestsSlow")
}

// databaseAway takes from payments the right to log in.
func (o *outage) databaseAway(sku string) {
	o.sql("payments", `ALTER ROLE payments NOLOGIN`, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'payments'`)
	o.Place(stories.Wish{SKU: sku})
	o.expect("DatabaseDown", "QueueFallsBehind")
	o.sql("payments", `ALTER ROLE payments LOGIN`)
	o.over("DatabaseDown", "QueueFallsBehind")
}

// programHangs is a replica that is there and does not answer.
func (o *outage) programHangs() {
	o.Program("shipping", 1).Suspend()
	o.expect("ProgramDown")
	o.Program("shipping", 1).Resume()
	o.over("ProgramDown")
}

// programAway stops payments, and at last removes its queue, as an operator may who believes that it is not needed any more.
func (o *outage) programAway(sku string) {
	payments := o.Program("payments", 1)
	if err := payments.Stop(); err != nil {
		o.Fatal(err)
	}
	o.whileAsking("00000000-0000-7000-8000-000000000000", func() {
		o.expect("ProgramMissing", "QueueWithoutConsumer", "RequestsFail")
	})
	if _, err := stories.Channel(o, stories.Dial(o, o.Broker.URL)).QueueDelete("payments.commands", false, false, false); err != nil {
		o.Fatal(err)
	}
	o.Place(stories.Wish{SKU: sku})
	o.expect("MessagesRefused")
	if err := payments.Start(o.Context()); err != nil {
		o.Fatal(err)
	}
	o.over("ProgramMissing", "QueueWithoutConsumer", "RequestsFail", "MessagesRefused")
}

func (o *outage) brokerAway(sku string) {
	if err := o.Rabbit.Stop(); err != nil {
		o.Fatal(err)
	}
	o.Place(stories.Wish{SKU: sku})
	o.expect("NoSessionWithBroker", "OutboxStuck")
	if err := o.Rabbit.Start(o.Context()); err != nil {
		o.Fatal(err)
	}
	o.over("NoSessionWithBroker", "OutboxStuck")
}

// Poison is a message that nobody can read.
func (o *outage) Poison() {
	stories.Poison(o, o.Broker.URL, 1)
	o.expect("MessageGivenUp", "DeadLetters")
	o.over("MessageGivenUp") // the dead letter stays, and with it the other alert
	if !o.fires("DeadLetters") {
		o.Error("DeadLetters is over although there is one")
	}
}

// elsewhere are metrics of programs that do not run here, by where their names come from.
var elsewhere = map[string]string{
	"pg_stat_database_numbackends":   "postgres_exporter, collector/pg_stat_database.go",
	"pg_stat_database_xact_commit":   "postgres_exporter, collector/pg_stat_database.go",
	"pg_stat_database_xact_rollback": "postgres_exporter, collector/pg_stat_database.go",
	"pg_stat_database_deadlocks":     "postgres_exporter, collector/pg_stat_database.go",
	"pg_stat_database_blks_hit":      "postgres_exporter, collector/pg_stat_database.go",
	"pg_stat_database_blks_read":     "postgres_exporter, collector/pg_stat_database.go",
	"pg_database_size_bytes":         "postgres_exporter, collector/pg_database.go",
	"pg_locks_count":                 "postgres_exporter, collector/pg_locks.go",
	"pg_settings_max_connections":    "postgres_exporter, cmd/postgres_exporter/pg_setting.go",
}

// existed checks that each metric was there that an expression selects, with each label that it selects, groups or shows.
func (o *outage) existed() {
	querier, err := o.db.Querier(0, math.MaxInt64)
	if err != nil {
		o.Fatal(err)
	}
	defer querier.Close() //nolint:errcheck // it has only read
	// with returns the labels of all series of a metric that a matcher allows.
	with := func(matchers ...*labels.Matcher) map[string]bool {
		names := map[string]bool{}
		for series := querier.Select(o.Context(), false, nil, matchers...); series.Next(); {
			series.At().Labels().Range(func(l labels.Label) { names[l.Name] = true })
		}
		return names
	}
	checked, unused := 0, maps.Clone(elsewhere)
	for _, u := range uses(o) {
		known, foreign := map[string]bool{"le": true}, false
		parser.Inspect(u.expr, func(node parser.Node, _ []parser.Node) error {
			selector, ok := node.(*parser.VectorSelector)
			if !ok {
				return nil
			}
			checked++
			if elsewhere[selector.Name] != "" {
				foreign = true
				delete(unused, selector.Name)
				return nil
			}
			named := labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, selector.Name)
			has := with(named)
			if len(has) == 0 {
				o.Errorf("%s: there is no %s", u.where, selector.Name)
			}
			maps.Copy(known, has)
			for _, m := range selector.LabelMatchers {
				if !has[m.Name] || len(with(named, m)) == 0 {
					o.Errorf("%s: no %s has %s", u.where, selector.Name, m)
				}
			}
			return nil
		})
		if foreign {
			continue
		}
		wanted := slices.Clone(u.shows)
		parser.Inspect(u.expr, func(node parser.Node, _ []parser.Node) error {
			switch node := node.(type) {
			case *parser.AggregateExpr:
				wanted = append(wanted, node.Grouping...)
			case *parser.BinaryExpr:
				if node.VectorMatching != nil {
					wanted = append(wanted, node.VectorMatching.MatchingLabels...)
				}
			}
			return nil
		})
		for _, label := range wanted {
			if !known[label] {
				o.Errorf("%s: none of its metrics has a label %s", u.where, label)
			}
		}
	}
	if checked < 100 || len(unused) > 0 {
		o.Errorf("only %d selectors; these metrics of others are not used: %s", checked, strings.Join(slices.Sorted(maps.Keys(unused)), ", "))
	}
}
