package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/process"
	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
)

// inSequence are the services of the chain; each calls the next one.
var inSequence = []string{"orders", "inventory", "payments", "shipping"}

// chain is services that call each other, behind a gateway: e2e/chain. They have databases on the PostgreSQL server of a system,
// and a payment provider of their own, so that the books of the two are apart.
type chain struct {
	*testing.T
	gateway, simulator *member
	services           map[string]*member
	databases          map[string]string // URL by service

	mu       sync.Mutex
	accepted map[int]int // orders by the number of services that had to do a step
}

func startChain(t *testing.T, s *system.System) *chain {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "chain")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, "./e2e/chain")
	build.Dir = repo
	build.Env = append(os.Environ(), "GOWORK="+filepath.Join(repo, "go.work"))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := &chain{T: t, services: map[string]*member{}, databases: map[string]string{}, accepted: map[int]int{}}
	c.simulator = newMember(t, filepath.Join(programs, "simulator"))
	var next []string
	for _, name := range slices.Backward(inSequence) {
		database, err := s.Databases.CreateDatabase(t.Context(), "chain_"+name, "chain")
		if err != nil {
			t.Fatal(err)
		}
		env := slices.Concat(next, []string{"DATABASE_URL=" + database})
		if name == "payments" {
			env = append(env, "PROVIDER_URL="+c.simulator.url+"/provider")
		}
		c.services[name], c.databases[name] = newMember(t, binary, env...), database
		next = []string{"NEXT_URL=" + c.services[name].url}
	}
	c.gateway = newMember(t, binary, next...)
	return c
}

// place places an order that needs a step of the first services, as many as given.
func (c *chain) place(services int) (id string, accepted bool) {
	id = uuid.NewString()
	body := fmt.Sprintf(`{"id": %q, "amount": 1000, "services": %d}`, id, services)
	if a, err := stories.Send(c.Context(), http.MethodPost, c.gateway.url+"/orders", body, "Idempotency-Key", id); err != nil || a.Status != http.StatusCreated {
		return "", false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accepted[services]++
	return id, true
}

// audited fails the test unless each service has done its step for exactly the orders that were accepted, and exactly these are
// paid.
func (c *chain) audited(t *testing.T) {
	t.Helper()
	for i, name := range inSequence {
		want := 0
		for services, orders := range c.accepted {
			if services > i {
				want += orders
			}
		}
		conn, err := pgx.Connect(t.Context(), c.databases[name])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		var steps int
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM steps`).Scan(&steps); err != nil || steps != want {
			t.Errorf("%s of the chain has done %d steps for %d orders, %v", name, steps, want, err)
		}
		if kinds := c.ledger(t); name == "payments" && kinds["charge"]-kinds["refund"] != want {
			t.Errorf("the chain has charged and refunded %v for %d orders", kinds, want)
		}
	}
}

// ledger counts the charges and the refunds at the chain's provider.
func (c *chain) ledger(t *testing.T) (kinds map[string]int) {
	t.Helper()
	a, err := stories.Send(t.Context(), http.MethodGet, c.simulator.url+"/provider/ledger?limit=10000", "")
	if err != nil {
		t.Fatal(err)
	}
	var page struct{ Items []struct{ Kind string } }
	a.Into(t, &page)
	kinds = map[string]int{}
	for _, entry := range page.Items {
		kinds[entry.Kind]++
	}
	return kinds
}

// slow sets the time that the payment providers of some simulators need for an answer.
func slow(t *testing.T, latency time.Duration, simulators ...string) {
	t.Helper()
	for _, url := range simulators {
		body := fmt.Sprintf(`{"provider": {"latency": %q}}`, latency)
		if a, err := stories.Send(t.Context(), http.MethodPut, url+"/faults", body); err != nil || a.Status != http.StatusOK {
			t.Fatalf("slow: %d %s %v", a.Status, a.Body, err)
		}
	}
}

// member is a process that is not a part of the system.
type member struct {
	*process.Process
	path, url string
	env       []string
}

func newMember(t *testing.T, path string, env ...string) *member {
	t.Helper()
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	m := &member{path: path, url: "http://" + address, env: append(slices.Clip(env), "HTTP_ADDR="+address)}
	m.start(t)
	t.Cleanup(func() { m.Kill() })
	return m
}

// start returns when the process is ready.
func (m *member) start(t *testing.T) {
	t.Helper()
	command := exec.Command(m.path)
	command.Env = m.env
	var err error
	if m.Process, err = process.Start(command, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	stories.Until(t, filepath.Base(m.path)+" is ready", func() bool {
		a, err := stories.Send(t.Context(), http.MethodGet, m.url+"/readyz", "")
		return err == nil && a.Status == http.StatusOK
	})
}

func (m *member) stop(t *testing.T) {
	t.Helper()
	if err := m.Stop(syscall.SIGTERM, 30*time.Second); err != nil {
		t.Fatal(err)
	}
}
