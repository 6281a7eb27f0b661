package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// process is a gateway in a process of its own.
type process struct{ address, admin string }

func startGateway(t *testing.T) process {
	t.Helper()
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "shop")
	}))
	t.Cleanup(behind.Close)
	// A real process: with the race detector, the memory that the test limits would be many times larger.
	program := filepath.Join(t.TempDir(), "gateway")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	g := process{freeAddress(t), freeAddress(t)}
	ctx, kill := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program)
	var said strings.Builder
	command.Stdout, command.Stderr = &said, &said
	services := strings.Join(serviceNames(t), "="+behind.URL+",") + "=" + behind.URL
	command.Env = append(os.Environ(), "SERVICES="+services, "BFF_URL="+behind.URL, "DEMO_IDENTITY=true", "HTTP_ADDR="+g.address, "ADMIN_ADDR="+g.admin,
		"LOG_LEVEL=error", "RATE_PER_ADDRESS=0", "HEADER_TIMEOUT="+headerWithin.String(), "READ_TIMEOUT="+bodyWithin.String(), "IDLE_TIMEOUT="+idleWithin.String())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kill()
		_ = command.Wait() // always an error: it was killed
		if t.Failed() {
			t.Log(said.String())
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if a, err := http.Get("http://" + g.address + "/readyz"); err == nil {
			a.Body.Close()
			return g
		}
		if time.Now().After(deadline) {
			t.Fatal("the gateway does not start")
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// memory returns the resident memory of the process.
func (g process) memory(t *testing.T) int {
	t.Helper()
	a, err := http.Get("http://" + g.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	for lines := bufio.NewScanner(a.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "process_resident_memory_bytes "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
	}
	t.Skip("this system does not tell the memory of a process")
	return 0
}

// bounded fails the test if the gateway's memory has grown too much.
func (g process) bounded(t *testing.T) {
	t.Helper()
	now := g.memory(t)
	t.Logf("memory %d MB", now>>20)
	if now > memoryMost {
		t.Errorf("the gateway takes %d MB", now>>20)
	}
}

// serveOthers requests a page again and again, on connections of its own, until stop is called.
func (g process) serveOthers(t *testing.T) (stop func() (served int, slowest time.Duration)) {
	t.Helper()
	ended, leave := make(chan struct{}), make(chan struct{})
	var served int
	var slowest time.Duration
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: grace}
	go func() {
		defer close(ended)
		for {
			begun := time.Now()
			a, err := client.Get("http://" + g.address + "/")
			if err != nil { // as a browser does: on a busy machine a connection may be opened and then not used in time
				a, err = client.Get("http://" + g.address + "/")
			}
			if err != nil {
				t.Errorf("after %d who were served: %v", served, err)
			} else {
				if a.StatusCode != http.StatusOK {
					t.Errorf("after %d who were served: %s", served, a.Status)
				}
				a.Body.Close()
				served++
				slowest = max(slowest, time.Since(begun))
			}
			select {
			case <-leave:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() (int, time.Duration) { close(leave); <-ended; return served, slowest }
}
