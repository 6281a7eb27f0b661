package upgrade

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/audit"
	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
	"github.com/google/uuid"
)

// settings make the outside world fast and the timeouts short. They change nothing else.
var settings = map[string][]string{
	"simulator": {"CARRIER_PACE=400ms", "SUPPLIER_LEAD_TIME=2s"},
	"orders":    {"STEP_TIMEOUT=5s", "STEP_PATIENCE=5s", "LONGEST_TIMEOUT=20s", "LONGEST_PATIENCE=20s", "TIMEOUT_TRIES=20", "PATIENCE_TRIES=20"},
}

// rest bounds the time until the system is at rest at the end.
const rest = 2 * time.Minute

// outsideIn is one order of a roll-out, in which callers change to another release before the services that they call. The
// reverse order is the other extreme.
var outsideIn = slices.Concat([]string{"gateway", "bff-web"}, servers.Services())

// Each program but the gateway has two replicas. During an upgrade they are of two releases, which share databases, queues,
// tokens and sessions.
func TestTwoReleasesSideBySideLoseNothingForwardAndBack(t *testing.T) {
	t.Parallel()
	stories.Look(t)
	h := openHistory(t)
	r := start(t, h, settings)
	patient := r.Place(stories.Wish{SKU: r.Product(0, 0, 0), Backorder: true}) // waits for stock until the upgrades are over
	r.Reach(patient, "backordered")
	load := r.StartLoadOf(customers(r.Client))

	insideOut := slices.Clone(outsideIn)
	slices.Reverse(insideOut)
	r.roll("half of it is upgraded", 1, outsideIn, r.current)
	r.roll("that half goes back, to data and messages that the new release has left", 1, insideOut, r.previous)
	r.roll("half of it is upgraded in the other order", 2, insideOut, r.current)
	r.roll("and the rest", 1, insideOut, r.current)
	load.Stop()

	r.stock(patient)
	if end := r.End(patient); end.Status != "delivered" {
		t.Errorf("the order that has waited for stock through all of it is %s (%s)", end.Status, end.Reason)
	}
	accepted := append(load.Accepted(), patient)
	report, err := audit.Await(t.Context(), audit.Of(r.System, h.repo), audit.Expectations{Accepted: accepted}, rest)
	if err != nil {
		t.Fatal(err)
	}
	report.Print(t.Output())
	if !report.OK() {
		t.Error("the books do not agree")
	}
	t.Logf("%d orders accepted, %d requests sent again", len(accepted), load.SentAgain())
}

// customers order what keeps all parts of the system busy, change their minds at any moment, and click twice.
func customers(c *stories.Client) stories.Habits {
	plenty, scarce := c.Product(100_000, 0, 0), c.Product(10, 8, 12)
	wishes := []stories.Wish{
		{SKU: plenty},
		{SKU: plenty, Quantity: 2},
		{SKU: plenty, Card: "tok_flaky"},
		{SKU: plenty, Card: "tok_declined"},
		{SKU: plenty, Postal: "00000"},
		{SKU: scarce, Quantity: 2, Backorder: true},
	}
	return stories.Habits{
		Shoppers: 3,
		Pause:    300 * time.Millisecond,
		Want:     func() stories.Wish { return wishes[rand.IntN(len(wishes))] },
		Regret:   func() (time.Duration, bool) { return rand.N(2 * time.Second), rand.IntN(5) == 0 },
		Twice:    0.1,
	}
}

// running is a system and the programs of both releases.
type running struct {
	*stories.Client
	*system.System
	repo, previous, current string
}

// start starts the previous release. The simulator is of this release from the beginning, because it is not part of the system.
// So are programs that the previous release does not have.
func start(t *testing.T, h history, settings map[string][]string) running {
	t.Helper()
	dir := stories.Folder(t)
	r := running{repo: h.repo, previous: filepath.Join(dir, "previous"), current: filepath.Join(dir, "current")}
	err := errors.Join(system.Build(t.Context(), h.repo, r.current), system.Build(t.Context(), h.sources(t), r.previous), complete(h.repo, r.current, r.previous))
	if err != nil {
		t.Fatal(err)
	}
	r.System, err = system.Start(context.WithoutCancel(t.Context()), system.Options{
		Dir: dir, Binaries: r.previous, Env: settings, Amend: understood,
		Replicas: system.Each(2),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.Stop(), complaints(r.System)); err != nil {
			t.Error(err)
		}
	})
	r.Client = stories.New(t, stories.World{Gateway: r.GatewayURL, Simulator: r.SimulatorURL, Older: true})
	return r
}

// understood adds what the previous release reads in place of SERVICES: a setting such as ORDERS_URL for each service.
func understood(_ string, env []string) ([]string, error) {
	urls := map[string][]string{}
	for _, setting := range env {
		if services, ok := strings.CutPrefix(setting, "SERVICES="); ok {
			for entry := range strings.SplitSeq(services, ",") {
				name, url, _ := strings.Cut(entry, "=")
				urls[name] = append(urls[name], url)
			}
		}
	}
	for name, urls := range urls {
		env = append(env, servers.Setting(name)+"_URL="+strings.Join(urls, ","))
	}
	return env, nil
}

// complete adds the simulator, and the programs that the previous release does not have, to its programs.
func complete(repo, current, previous string) error {
	programs, err := system.Programs(repo)
	if err != nil {
		return err
	}
	for program := range programs {
		from, to := filepath.Join(current, program), filepath.Join(previous, program)
		if program == "simulator" {
			err = errors.Join(err, os.Remove(to))
		}
		if _, missing := os.Stat(to); errors.Is(missing, os.ErrNotExist) {
			err = errors.Join(err, os.Link(from, to))
		}
	}
	return err
}

// roll replaces a replica of each program by another release, one after another: SIGTERM, then a new process. Orders are under
// way all the time. After the last program it tries actions of users and operators.
func (r running) roll(what string, number int, programs []string, release string) {
	r.Helper()
	began, least := time.Now(), 0
	for _, name := range programs {
		part := r.Program(name, number)
		if name == "gateway" && number > 1 {
			continue
		}
		flying := 0
		stories.Until(r, "orders are on their way", func() bool { flying = r.underWay(); return flying > 0 })
		if least == 0 || flying < least {
			least = flying
		}
		if err := part.Replace(r.Context(), release); err != nil {
			r.Fatal(err)
		}
		// If the other release has declared a queue differently, a program gets no messages, but otherwise works.
		stories.Until(r, part.Name+" has its sessions with RabbitMQ", func() bool {
			a, err := stories.Send(r.Context(), http.MethodGet, part.URL+"/readyz", "")
			return err == nil && a.Status == http.StatusOK && !bytes.Contains(a.Body, []byte(`"rabbitmq_connected":false`))
		})
	}
	if end := r.End(r.Place(stories.Wish{SKU: r.Product(1, 0, 0)})); end.Status != "delivered" {
		r.Errorf("%s, and an order is %s (%s)", what, end.Status, end.Reason)
	}
	r.Must(http.StatusOK, "", http.MethodGet, "/", "", "Accept", "text/html")
	if err := errors.Join(complaints(r.System), r.deadLetters()); err != nil {
		r.Fatalf("%s: %v", what, err)
	}
	r.Logf("%s: %s, with %d orders on their way or more", what, time.Since(began).Round(time.Second), least)
}

// deadLetters is an error when there are any: the audit would find them too, but later.
func (r running) deadLetters() error {
	r.Helper()
	var list struct {
		Items   []json.RawMessage
		Missing []string
	}
	stories.Until(r, "all services answer the operator", func() bool {
		a, err := r.Call("olga", http.MethodGet, "/api/operations/dead-letters", "")
		if err != nil || a.Status != http.StatusOK {
			return false
		}
		a.Into(r, &list)
		return len(list.Missing) == 0
	})
	if len(list.Items) == 0 {
		return nil
	}
	return fmt.Errorf("there are dead letters, such as %s", list.Items[0])
}

// underWay is the number of orders that have not ended.
func (r running) underWay() int {
	r.Helper()
	n, err := stories.UnderWay(r.Context(), r.DatabaseURL("orders"))
	if err != nil {
		r.Fatal(err)
	}
	return n
}

// stock adds the units that an order waits for.
func (r running) stock(order string) {
	r.Helper()
	var o struct{ Lines []struct{ SKU string } }
	r.Must(http.StatusOK, "alice", http.MethodGet, "/api/orders/"+order, "").Into(r, &o)
	a, err := r.Call("olga", http.MethodPost, "/api/products/"+o.Lines[0].SKU+"/stock", `{"add":1}`, "Idempotency-Key", uuid.NewString())
	if err != nil || a.Status/100 != 2 {
		r.Fatalf("add stock: %v %d %s", err, a.Status, a.Body)
	}
}

// cries must be in no log: panics, queues that were declared differently, statements that do not fit the schema, and rows that
// the schema refuses. The message is retried, and may succeed on a replica of the other release, so that only the log shows it.
var cries = []string{
	"panic: ", "fatal error: ",
	"PRECONDITION_FAILED",
	"(SQLSTATE 42", "(SQLSTATE 23502)", "(SQLSTATE 23514)",
}

// complaints is an error with the first such line in each program's log.
func complaints(s *system.System) error {
	var found []error
	for _, p := range s.Programs() {
		log, err := os.ReadFile(p.LogFile())
		found = append(found, err)
		for line := range strings.Lines(string(log)) {
			if slices.ContainsFunc(cries, func(cry string) bool { return strings.Contains(line, cry) }) {
				found = append(found, fmt.Errorf("%s: %s", p.Name, strings.TrimSpace(line)))
				break
			}
		}
	}
	return errors.Join(found...)
}
