package service

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// askHealth runs `program -health` with these settings and returns its exit code and its output.
func askHealth(t *testing.T, settings ...string) (code int, said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-health")
	cmd.Env = append([]string{"PLAY=1", "HTTP_PROXY=http://127.0.0.1:1"}, settings...) // no proxy is there
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(out)
}

func TestAProgramIsAsHealthyAsItsReadyzSays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		code   int
		says   string
	}{
		{"ready", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" {
				w.WriteHeader(http.StatusNotFound)
			}
		}, 0, ""},
		{"draining", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"status":"draining"}`, http.StatusServiceUnavailable)
		}, 1, `play is not ready: 503 Service Unavailable {"status":"draining"}`},
		{"moved away", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
		}, 1, "play is not ready: 302 Found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.answer)
			defer server.Close()
			addr := strings.TrimPrefix(server.URL, "http://")
			_, port, _ := net.SplitHostPort(addr)
			for _, addr := range []string{addr, ":" + port, "0.0.0.0:" + port} { // forms in which a server's address can be given
				code, said := askHealth(t, "HTTP_ADDR="+addr)
				if code != test.code || !strings.HasPrefix(said, test.says) || test.says == "" && said != "" {
					t.Errorf("%s: exit code %d, said %q, want %d, %q", addr, code, said, test.code, test.says)
				}
			}
		})
	}
}

func TestHealthWithoutAnAnswerIsAnErrorSoon(t *testing.T) {
	t.Parallel()
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // the test is over
	if code, said := askHealth(t, "HTTP_ADDR="+silent.Addr().String()); code != 1 || !strings.Contains(said, "deadline exceeded") {
		t.Errorf("exit code %d, said %q", code, said)
	}
}

func TestHealthWithoutHTTPAddrAsksWhereTheConfigSays(t *testing.T) {
	t.Parallel()
	if code, said := askHealth(t); code != 1 || !strings.Contains(said, "127.0.0.1:9: connect") {
		t.Errorf("exit code %d, said %q", code, said)
	}
	if code, said := askHealth(t, "HTTP_ADDR=no address"); code != 1 || !strings.Contains(said, "HTTP_ADDR") {
		t.Errorf("exit code %d, said %q", code, said)
	}
}
