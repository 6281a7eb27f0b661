package laboratory

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
)

// One system for all subtests, with stubs for the programs: its servers take seconds to start.
func TestTheLaboratoryDoesWhatNoProgramMay(t *testing.T) {
	t.Parallel()
	d, err := Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if status, text := call(t, d, "GET", "/parts", ""); status != http.StatusServiceUnavailable || !strings.Contains(text, "not ready") {
		t.Errorf("before the system is ready: %d %s", status, text)
	}
	s, err := system.Start(t.Context(), system.Options{Dir: t.TempDir(), Binaries: stubs(t), Restart: true, Replicas: map[string]int{"orders": 2}, Env: map[string][]string{"bff-web": d.Env()}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}()
	execute(t, s, `CREATE TABLE payments (id int)`)
	execute(t, s, makeMistake) // left behind by a desk that was killed
	d.Serve(s)

	t.Run("bff-web knows the desk, and only with its key", func(t *testing.T) {
		answer, err := http.Get(s.Program("bff-web", 1).URL + "/env")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		env, _ := io.ReadAll(answer.Body)
		for _, want := range d.Env() {
			if !strings.Contains(string(env), want) {
				t.Errorf("bff-web has not %s", want)
			}
		}
		other := &Desk{URL: d.URL, Key: "guessed"}
		if status, text := call(t, other, "POST", "/parts/orders/kill", ""); status != http.StatusUnauthorized || s.Program("orders", 1).State() != "running" {
			t.Errorf("without the key: %d %s", status, text)
		}
		for _, path := range []string{"/books", "/down", "/status"} {
			if status, _ := call(t, d, "POST", path, ""); status != http.StatusNotFound {
				t.Errorf("its key opens %s: %d", path, status)
			}
		}
	})
	t.Run("parts are listed with what may be done to them", func(t *testing.T) {
		parts := list(t, d)
		if len(parts) != len(s.Parts()) {
			t.Errorf("%v", parts)
		}
		for name, want := range map[string]string{"gateway-1": "restart", "bff-web-1": "restart", "orders-2": "stop kill", "rabbitmq": "stop kill", "postgres": "stop kill", "simulator-1": "stop kill"} {
			if got := parts[name]; got.State != "running" || strings.Join(got.Actions, " ") != want {
				t.Errorf("%s: %v, want %s", name, got, want)
			}
		}
	})
	t.Run("a part that is killed stays away until it is started", func(t *testing.T) {
		accepted(t, d, "/parts/payments/kill", "")
		becomes(t, d, "payments-1", "stopped")
		if got := list(t, d)["payments-1"]; !slices.Equal(got.Actions, []string{"start"}) || !got.Back.IsZero() {
			t.Errorf("%v, back at %s", got, got.Back)
		}
		accepted(t, d, "/parts/payments-1/start", "")
		becomes(t, d, "payments-1", "running")
	})
	t.Run("a part that is stopped for a time comes back by itself, with all its replicas", func(t *testing.T) {
		accepted(t, d, "/parts/orders/stop", `{"for":"1s"}`)
		becomes(t, d, "orders-1", "stopped")
		if got := list(t, d)["orders-1"]; got.Back.IsZero() {
			t.Errorf("nobody knows when it comes back: %v", got)
		}
		becomes(t, d, "orders-1", "running")
		becomes(t, d, "orders-2", "running")
		if got := list(t, d)["orders-1"]; !got.Back.IsZero() {
			t.Errorf("it is back, and comes back at %s", got.Back)
		}
	})
	t.Run("the last word about a part counts", func(t *testing.T) {
		accepted(t, d, "/parts/shipping/kill", `{"after":"300ms","for":"300ms"}`)
		becomes(t, d, "shipping-1", "stopped")
		accepted(t, d, "/parts/shipping/stop", "") // now without an end
		time.Sleep(700 * time.Millisecond)         // by then it would have come back
		if got := list(t, d)["shipping-1"]; got.State != "stopped" {
			t.Errorf("it has come back: %v", got)
		}
		accepted(t, d, "/parts/shipping/start", "")
		becomes(t, d, "shipping-1", "running")
	})
	t.Run("the programs that serve the page are only restarted", func(t *testing.T) {
		for _, name := range []string{"gateway", "bff-web-1"} {
			if status, text := call(t, d, "POST", "/parts/"+name+"/kill", ""); status != http.StatusConflict || !strings.Contains(text, "restarted") {
				t.Errorf("%s: %d %s", name, status, text)
			}
		}
		before := s.Program("gateway", 1).Pid()
		accepted(t, d, "/parts/gateway/restart", "")
		until(t, "the gateway is another process", func() bool { pid := s.Program("gateway", 1).Pid(); return pid != 0 && pid != before })
	})
	t.Run("what makes no sense is refused", func(t *testing.T) {
		for path, want := range map[string]int{"/parts/order/kill": 404, "/parts/orders/explode": 404} {
			if status, text := call(t, d, "POST", path, ""); status != want {
				t.Errorf("%s: %d %s", path, status, text)
			}
		}
		for _, body := range []string{`{"for":"11m"}`, `{"after":"11m"}`, `{"for":"-1s"}`, `{"for":1}`, `{"fore":"1s"}`, `{`, strings.Repeat(" ", bodyMost+1)} {
			for _, path := range []string{"/parts/orders/kill", "/mistake"} {
				if status, text := call(t, d, "POST", path, body); status != http.StatusUnprocessableEntity {
					t.Errorf("%s with %.20q: %d %s", path, body, status, text)
				}
			}
		}
		if status, text := call(t, d, "POST", "/poison", ""); status != http.StatusBadGateway { // the stubs have no exchange
			t.Errorf("poison that nobody takes: %d %s", status, text)
		}
	})
	t.Run("a mistake is mended after its time", func(t *testing.T) {
		until(t, "the old mistake is mended", func() bool { return !faulty(t, s) })
		accepted(t, d, "/mistake", `{"for":"500ms"}`)
		if !faulty(t, s) {
			t.Error("there is none")
		}
		if status, _ := call(t, d, "POST", "/mistake", ""); status != http.StatusConflict {
			t.Errorf("a second one: %d", status)
		}
		until(t, "it is mended", func() bool { return !faulty(t, s) })
	})
	t.Run("a desk that closes mends its mistake", func(t *testing.T) {
		accepted(t, d, "/mistake", `{"for":"1m"}`)
		accepted(t, d, "/parts/inventory/stop", `{"for":"1m"}`)
		d.Close()
		if faulty(t, s) {
			t.Error("it is still there")
		}
	})
}

func call(t *testing.T, d *Desk, method, path, body string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.Key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(read)
}

func accepted(t *testing.T, d *Desk, path, body string) {
	t.Helper()
	if status, text := call(t, d, "POST", path, body); status != http.StatusAccepted {
		t.Fatalf("%s: %d %s", path, status, text)
	}
}

func list(t *testing.T, d *Desk) map[string]Part {
	t.Helper()
	_, text := call(t, d, "GET", "/parts", "")
	var all struct{ Items []Part }
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	parts := map[string]Part{}
	for _, p := range all.Items {
		parts[p.Name] = p
	}
	return parts
}

func becomes(t *testing.T, d *Desk, name, state string) {
	t.Helper()
	until(t, name+" is "+state, func() bool { return list(t, d)[name].State == state })
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not yet: %s", what)
		}
	}
}

func execute(t *testing.T, s *system.System, statement string) {
	t.Helper()
	conn := connect(t, s)
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func faulty(t *testing.T, s *system.System) bool {
	t.Helper()
	conn := connect(t, s)
	defer conn.Close(t.Context())
	var n int
	if err := conn.QueryRow(t.Context(), findMistake).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n > 0
}

func connect(t *testing.T, s *system.System) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.DatabaseURL("payments"))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// stubs makes a folder with a stub for each program.
func stubs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "stub"), "../system/testdata/stub")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, name := range append([]string{"gateway", "bff-web", "simulator"}, servers.Services()...) {
		if err := os.Symlink("stub", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
