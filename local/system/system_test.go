package system

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/process"
	"example.com/orderflow/local/servers"
)

// One system for all subtests, with stubs for the programs: its servers take seconds to start.
func TestASystemFromStartToStop(t *testing.T) {
	t.Parallel()
	told := &log{}
	options := Options{
		Dir: t.TempDir(), Binaries: stubs(t), Restart: true, Log: told,
		Replicas: map[string]int{"orders": 2}, PostgresSettings: map[string]string{"track_commit_timestamp": "on"},
		Env:   map[string][]string{"": {"LOG_LEVEL=debug"}, "simulator": {"CARRIER_PACE=1s"}},
		Amend: func(program string, env []string) ([]string, error) { return append(env, "AMENDED="+program), nil },
	}
	s := start(t, options)

	t.Run("every program runs with its own settings", func(t *testing.T) {
		if n := len(programs) + 1; len(s.Programs()) != n || len(s.Parts()) != n+2 {
			t.Errorf("there are the programs %v and the parts %v", s.Programs(), s.Parts())
		}
		orders := get(t, s.Program("orders", 2).URL+"/env")
		for _, want := range []string{"DATABASE_URL=" + s.DatabaseURL("orders"), "RABBITMQ_URL=" + s.RabbitURL("orders"), "LOG_LEVEL=debug", "AMENDED=orders"} {
			if !strings.Contains(orders, want+"\n") && !strings.HasSuffix(orders, want) {
				t.Errorf("orders-2 has not %s", want)
			}
		}
		if strings.Contains(orders, "CARRIER_PACE") {
			t.Error("orders-2 has a setting of the simulator's")
		}
		if !strings.Contains(get(t, s.SimulatorURL+"/env"), "CARRIER_PACE=1s") {
			t.Error("the simulator lacks a setting")
		}
	})
	t.Run("PostgreSQL has the settings that were asked for", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), s.Databases.URL)
		must(t, err)
		defer conn.Close(context.WithoutCancel(t.Context()))
		var set string
		must(t, conn.QueryRow(t.Context(), "SHOW track_commit_timestamp").Scan(&set))
		if set != "on" {
			t.Errorf("track_commit_timestamp is %s", set)
		}
	})
	t.Run("a part that ends by itself is reported and started again", func(t *testing.T) {
		_, _ = http.Get(s.Program("orders", 1).URL + "/crash") // the connection ends without an answer
		told.wait(t, "orders-1 ended by itself")
		told.wait(t, "crashed on request")
		told.wait(t, "orders-1 runs again")
		get(t, s.Program("orders", 1).URL+"/readyz")
	})
	t.Run("a part that is stopped on purpose stays so until it is started", func(t *testing.T) {
		for _, end := range []func(*Part){func(p *Part) { must(t, p.Stop()) }, (*Part).Kill} {
			for _, p := range s.Named("orders") {
				if pid := p.Pid(); !process.Alive(pid) {
					t.Errorf("%s has the process id %d, which nobody has", p.Name, pid)
				}
				end(p)
				if p.State() != "stopped" || p.Pid() != 0 {
					t.Errorf("%s is %s with the process id %d", p.Name, p.State(), p.Pid())
				}
				must(t, p.Start(t.Context()))
				must(t, p.Start(t.Context())) // starting twice has no further effect
				get(t, p.URL+"/readyz")
			}
		}
		if n := strings.Count(told.String(), "ended by itself"); n != 1 {
			t.Errorf("%d ends were taken for accidents, want 1", n)
		}
	})
	t.Run("a part can be frozen, and stopped while it is", func(t *testing.T) {
		p := s.Program("payments", 1)
		p.Suspend()
		brief, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := ready(brief, p.URL); err == nil {
			t.Error("it answers while it is frozen")
		}
		p.Resume()
		must(t, ready(t.Context(), p.URL))
		p.Suspend()
		must(t, p.Stop())
	})
	t.Run("a replica can be replaced by another release of its program, and a server cannot", func(t *testing.T) {
		release := t.TempDir()
		must(t, os.Symlink(filepath.Join(options.Binaries, "orders"), filepath.Join(release, "orders")))
		must(t, s.Program("orders", 2).Replace(t.Context(), release))
		for number, binaries := range map[int]string{1: options.Binaries, 2: release} {
			if path := get(t, s.Program("orders", number).URL+"/path"); path != filepath.Join(binaries, "orders") {
				t.Errorf("orders-%d runs from %s, want it from %s", number, path, binaries)
			}
		}
		if err := s.Rabbit.Replace(t.Context(), release); err == nil {
			t.Error("RabbitMQ was replaced")
		}
	})
	t.Run("secrets are for their owner alone", func(t *testing.T) {
		files, err := filepath.Glob(filepath.Join(options.Dir, "secrets", "*"))
		must(t, err)
		if len(files) != len(servers.Services())+len(servers.BrokerUsers())+2 { // also the keys of the gateway and bff-web
			t.Errorf("the secrets are %v", files)
		}
		for _, file := range files {
			info, err := os.Stat(file)
			must(t, err)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %s", file, info.Mode())
			}
		}
	})
	t.Run("after a stop nothing runs and the next start finds everything", func(t *testing.T) {
		parts, database := s.Parts(), s.DatabaseURL("orders")
		must(t, s.Stop())
		for _, p := range parts {
			if p.State() != "stopped" {
				t.Errorf("%s is %s", p.Name, p.State())
			}
		}
		again := start(t, options)
		if password(database) != password(again.DatabaseURL("orders")) {
			t.Error("orders has another password")
		}
		must(t, again.Stop())
	})
	t.Run("nothing is left of one that is removed", func(t *testing.T) {
		must(t, Remove(options.Dir))
		if left, err := os.ReadDir(options.Dir); err != nil || len(left) > 0 {
			t.Errorf("what is left: %v, %v", left, err)
		}
	})
}

func TestAProgramThatCannotStartFailsTheSystemWithTheEndOfItsLog(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{
		Dir: t.TempDir(), Binaries: stubs(t), Env: map[string][]string{"payments": {"STUB_FAILS=1"}},
	})
	if err == nil || !strings.Contains(err.Error(), "payments-1") || !strings.Contains(err.Error(), "the settings are not right") {
		t.Errorf("Start returned %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "start orders-1") {
		t.Errorf("the error blames others too: %v", err)
	}
}

func TestATakenGatewayPortIsReportedBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	_, err = Start(t.Context(), Options{Dir: t.TempDir(), Binaries: t.TempDir(), GatewayPort: port})
	if refused, ok := errors.AsType[PortTaken](err); !ok || refused.Port != port || !strings.Contains(err.Error(), "GATEWAY_PORT") {
		t.Errorf("Start returned %v", err)
	}
}

func start(t *testing.T, options Options) *System {
	t.Helper()
	s, err := Start(t.Context(), options)
	must(t, err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// stubs makes a folder with a stub for each program.
func stubs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "stub"), "./testdata/stub")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, name := range programs {
		must(t, os.Symlink("stub", filepath.Join(dir, name)))
	}
	return dir
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return string(body)
}

func password(address string) string {
	_, rest, _ := strings.Cut(address, "orders:")
	password, _, _ := strings.Cut(rest, "@")
	return password
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// log collects the lines that a system writes.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) wait(t *testing.T, part string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(l.String(), part); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing was told of %q in\n%s", part, l)
		}
	}
}
