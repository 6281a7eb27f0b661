package crash

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/audit"
	"example.com/orderflow/local/process"
	"example.com/orderflow/local/system"
)

// rest bounds the time until the system is at rest after the last crash. The longest lease is 40 s.
const rest = 5 * time.Minute

// settings make the outside world fast, but slow enough to cancel an order. The timeouts of orders are so long that it never
// sends a command again: a lost message is not repaired by a deadline, and its order never ends.
var settings = map[string][]string{
	"simulator": {"CARRIER_PACE=3s", "SUPPLIER_LEAD_TIME=1s"},
	"orders":    {"STEP_TIMEOUT=1h", "DISPATCH_TIMEOUT=1h"},
}

// Every service crashes at each of its points, one after another and at the same time as other services, each time with
// orders under way, and is started again. In the end every order has the expected status, and the books agree.
func TestNothingIsLostOrDoneTwiceWhereverAServiceDies(t *testing.T) {
	t.Parallel()
	s := start(t)
	var victims []*victim
	for service := range deaths { // before the first crash, because the requests that make products are not retried
		victims = append(victims, newVictim(t, s, service))
	}
	if !t.Run("deaths", func(t *testing.T) {
		for _, v := range victims {
			t.Run(v.service, func(t *testing.T) {
				t.Parallel()
				v.Client = stories.New(t, v.World)
				v.dieAll()
			})
		}
	}) {
		return
	}

	stakes := map[string]*order{}
	var accepted []string
	died := 0
	for _, v := range victims {
		died += v.died
		for _, o := range v.orders {
			stakes[o.id] = o
			accepted = append(accepted, o.id)
		}
	}
	report, err := audit.Await(t.Context(), audit.Of(s, repo), audit.Expectations{Accepted: accepted}, rest)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d deaths with %d orders under way; %s", died, len(accepted), report.Summary())
	if err := report.Err(); err != nil {
		for _, breach := range report.Breaches {
			if o := stakes[breach.Subject]; o != nil {
				t.Errorf("%s: %s", o, breach.What)
			}
		}
		t.Fatal(err)
	}
	c := stories.New(t, world(s))
	for id, o := range stakes {
		if end := c.Track(id); !slices.Contains(o.ends, end.Status) {
			t.Errorf("%s: it ended %s (%s)", o, end.Status, end.Reason)
		}
	}
}

// repo is the checkout, and programs the folder of the compiled programs.
var repo, programs string

func TestMain(m *testing.M) { stories.Main(m, &repo, &programs, "-tags=failpoint") }

// start starts a system whose services can be told to crash, each by a file in the system's folder: see wanted.
func start(t *testing.T) *system.System {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL may have to run as another user
		t.Fatal(err)
	}
	amend := func(program string, env []string) ([]string, error) {
		if deaths[program] != nil {
			env = append(env, "FAILPOINT="+wanted(dir, program))
		}
		return env, nil
	}
	s, err := system.Start(t.Context(), system.Options{Dir: dir, Binaries: programs, Env: settings, Amend: amend})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		for _, p := range s.Programs() {
			if t.Failed() {
				t.Logf("%s: %s", p.Name, process.LogTail(p.LogFile()))
			}
		}
	})
	return s
}

// wanted is the file with the points at which a service is to crash.
func wanted(dir, service string) string { return filepath.Join(dir, "failpoint-"+service) }

func world(s *system.System) stories.World {
	return stories.World{Gateway: s.GatewayURL, Simulator: s.SimulatorURL}
}
