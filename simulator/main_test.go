package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// program is the simulator as a process of its own.
type program struct {
	sim
	cmd *exec.Cmd
	log chan string // its log messages, until it ends
}

func launch(t *testing.T, settings ...string) *program {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(settings, "SIMULATOR_TEST_AS_PROGRAM=1", "HTTP_ADDR=127.0.0.1:0")...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	p := &program{sim{t: t}, cmd, make(chan string, 1000)}
	addr := make(chan string, 1)
	go func() {
		defer close(p.log)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			var l struct{ Msg, Addr string }
			_ = json.Unmarshal(lines.Bytes(), &l)
			if l.Msg == "serving" {
				addr <- l.Addr
			}
			p.log <- l.Msg
		}
	}()
	select {
	case a := <-addr:
		p.url = "http://" + a
	case <-time.After(30 * time.Second):
		t.Fatal("it does not serve")
	}
	return p
}

// end waits for the end of the process. It returns the rest of the log and the exit code.
func (p *program) end() (log string, code int) {
	var all []string
	for msg := range p.log {
		all = append(all, msg)
	}
	_ = p.cmd.Wait()
	return strings.Join(all, "\n"), p.cmd.ProcessState.ExitCode()
}

func TestKillingItLosesNoAnsweredChargeAndMakesNoneTwice(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	var answered sync.Map // key → id of the charge
	for round := range 4 {
		p := launch(t, "SIMULATOR_DATA="+data)
		answered.Range(func(key, id any) bool {
			got := p.post("/provider/charges", key.(string), chargeOf(100, "tok_visa"))
			if p.want(got, 200, ""); read[charge](t, got).ID != id {
				t.Fatalf("round %d: %s has another charge", round, key)
			}
			return true
		})
		var count atomic.Int32
		_ = together(8, func(worker int) error {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d-%d-%d", round, worker, i)
				got, err := p.try(t.Context(), "POST", "/provider/charges", key, chargeOf(100, "tok_visa"))
				if err != nil {
					return err // killed
				}
				p.want(got, 201, "")
				answered.Store(key, read[charge](t, got).ID)
				if count.Add(1) == 50 {
					_ = p.cmd.Process.Kill()
				}
			}
		})
		p.end()
		file, err := os.OpenFile(filepath.Join(data, "journal.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(`{"entry":{"seq":`); err != nil { // as if it had been killed a moment earlier
			t.Fatal(err)
		}
		_ = file.Close()
	}

	p := launch(t, "SIMULATOR_DATA="+data)
	seen := map[string]bool{}
	for i, e := range items[entry](t, p.get("/provider/ledger?limit=10000")) {
		if e.Seq != i+1 || seen[e.Key] {
			t.Fatalf("entry %d: %+v", i, e)
		}
		seen[e.Key] = true
	}
	answered.Range(func(key, _ any) bool {
		if !seen[key.(string)] {
			t.Errorf("%s was answered and is not in the ledger", key)
		}
		return true
	})
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if log, _ := p.end(); !strings.Contains(log, "torn") {
		t.Errorf("no word of a torn line in the log:\n%s", log)
	}
}

func TestASignalStopsItInOrderWhateverItsCallersDo(t *testing.T) {
	t.Parallel()
	p := launch(t, "PROVIDER_TIMEOUT_HOLD=1h")
	silent, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://")) // it sends nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	withheld := make(chan error, 1)
	go func() {
		_, err := p.try(t.Context(), "POST", "/provider/charges", "k", chargeOf(100, "tok_timeout"))
		withheld <- err
	}()
	for len(items[charge](t, p.get("/provider/charges?key=k"))) == 0 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if log, code := p.end(); code != 0 || !strings.HasSuffix(log, "stopped") {
		t.Errorf("exit code %d, log:\n%s", code, log)
	}
	if took := time.Since(began); took > 20*time.Second { // much less than the hour for which the answer is withheld
		t.Errorf("stopping took %s", took)
	}
	if err := <-withheld; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("want a reset, got %v", err)
	}
}

func TestEveryWrongSettingIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SIMULATOR_TEST_AS_PROGRAM=1", "LOG_LEVEL=loud", "CARRIER_PACE=-1s",
		"PROVIDER_ERROR_RATE=1.5", "SUPPLIER_AMBIGUOUS_RATE=NaN", "PROVIDER_DOWN=perhaps")
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 2 {
		t.Errorf("exit code %d", code)
	}
	for _, field := range []string{"LogLevel", "CarrierPace", "ErrorRate", "AmbiguousRate", "Down"} {
		if !strings.Contains(string(out), field) {
			t.Errorf("nothing about %s in: %s", field, out)
		}
	}
}
