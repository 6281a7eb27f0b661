// Package e2e tests Orderflow from outside: over HTTP through the gateway, with all programs running as processes on a
// real PostgreSQL and a real RabbitMQ.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"example.com/orderflow/e2e/contract"
	"example.com/orderflow/e2e/contract/messages"
	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/system"
)

// settings make the outside world fast and the timeouts short. They change nothing else.
var settings = map[string][]string{
	"simulator": {"CARRIER_PACE=400ms", "SUPPLIER_LEAD_TIME=1s"},
	"orders":    {"STEP_TIMEOUT=5s", "LONGEST_TIMEOUT=20s", "TIMEOUT_TRIES=20"},
}

// repo is the checkout, and programs the folder of the compiled programs, made once for all tests.
var repo, programs string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if repo, err = system.FindRepo("."); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "orderflow-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only a temporary folder is left behind
	if err := os.Chmod(dir, 0o711); err != nil {
		return 1, err
	}
	programs = filepath.Join(dir, "bin")
	if err := system.Build(context.Background(), repo, programs); err != nil {
		return 1, err
	}
	if passed, err = messages.NewRecord(); err != nil {
		return 1, err
	}
	code = m.Run()
	if shared.System != nil {
		// This audits the shared system after all tests that used it at the same time. It is at rest only now. Its logs are
		// complete after its stop.
		err = auditOf(context.Background(), shared.System)
		if shared.tap != nil {
			err = errors.Join(err, shared.tap.Close(context.Background()))
		}
		err = errors.Join(err, shared.Stop(), secretsIn(shared.System, shared.dir))
	}
	err = errors.Join(err, passed.Err())
	if code == 0 && whole() {
		if missing := passed.Missing(); len(missing) > 0 {
			err = errors.Join(err, fmt.Errorf("no test has sent %v, which asyncapi.yaml has; what was sent: %s", missing, passed.Seen()))
		}
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir) // only a temporary folder is left behind
	}
	if code == 0 && whole() {
		document, wrong := contract.Shared()
		if wrong == nil {
			wrong = document.Unseen()
		}
		err = errors.Join(err, wrong)
	}
	return code, err
}

// passed has the messages that have passed the systems with a tap, and how they differ from api/asyncapi.yaml.
var passed *messages.Record

// whole reports whether this run has all tests.
func whole() bool {
	for _, filter := range []string{"test.run", "test.skip", "test.list", "test.bench"} {
		if f := flag.Lookup(filter); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}

// tapped compares the messages of a test's own system with api/asyncapi.yaml, from now on until the end of the test.
func tapped(t *testing.T, s *system.System) {
	t.Helper()
	tap, err := passed.Listen(t.Context(), s.Broker)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tap.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// start starts a new system for a test, with these numbers of replicas.
func start(t *testing.T, replicas map[string]int, env map[string][]string, adapt ...func(*system.Options)) *system.System {
	t.Helper()
	s, err := launch(t.TempDir(), replicas, env, adapt...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			showLogs(t, s)
		}
	})
	return s
}

func launch(dir string, replicas map[string]int, env map[string][]string, adapt ...func(*system.Options)) (*system.System, error) {
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL may have to run as another user
		return nil, err
	}
	env = maps.Clone(env)
	if env == nil {
		env = map[string][]string{}
	}
	env[""] = append(slices.Clip(env[""]), "DEMO_SECRET="+demoSecret)
	options := system.Options{Dir: dir, Binaries: programs, Replicas: replicas, Env: env}
	for _, adapt := range adapt {
		adapt(&options)
	}
	return system.Start(context.Background(), options)
}

// world has the addresses of a system.
func world(s *system.System) stories.World {
	return stories.World{Gateway: s.GatewayURL, Simulator: s.SimulatorURL, Secret: demoSecret}
}

// shared is the system for tests that do not disturb each other: two replicas of everything.
var shared struct {
	once sync.Once
	*system.System
	err error
	dir string
	tap *messages.Tap
}

// together returns the shared system, which the first test starts.
func together(t *testing.T) *system.System {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "orderflow-e2e-shared-"); shared.err == nil {
			shared.System, shared.err = launch(shared.dir, system.Each(2), settings)
		}
		if shared.err == nil {
			shared.tap, shared.err = passed.Listen(context.Background(), shared.Broker)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			showLogs(t, shared.System)
		}
	})
	return shared.System
}

// showLogs prints the problems in the programs' logs.
func showLogs(t *testing.T, s *system.System) {
	for _, p := range s.Programs() {
		log, err := os.ReadFile(p.LogFile())
		if err != nil {
			t.Error(err)
			continue
		}
		var bad [][]byte
		for line := range bytes.Lines(log) {
			if bytes.Contains(line, []byte(`"level":"WARN"`)) || bytes.Contains(line, []byte(`"level":"ERROR"`)) || !bytes.HasPrefix(line, []byte("{")) {
				bad = append(bad, line)
			}
		}
		if len(bad) > 15 {
			bad = bad[len(bad)-15:]
		}
		if len(bad) > 0 {
			t.Logf("%s:\n%s", p.Name, bytes.Join(bad, nil))
		}
	}
}
