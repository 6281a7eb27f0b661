package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv("PLAY") == "" {
		os.Exit(m.Run())
	}
	type config struct {
		Settings
		Must string `env:"MUST,required"`
		Some int    `env:"SOME"`
		Addr string `env:"HTTP_ADDR" envDefault:"127.0.0.1:9"` // the port of discard: nothing listens there
	}
	time.Local = time.FixedZone("far away", -5*60*60) // as with TZ, on a machine that has a list of time zones
	Main("play", func(ctx context.Context, p *Program, cfg config) error {
		if cfg.Must == "mistake" {
			return errors.New("a mistake")
		}
		if cfg.Must == "start-up" { // the start-up is still under way when the signal comes
			os.Stdout.WriteString("up\n") //nolint:errcheck // the test would notice
			<-ctx.Done()
			os.Stdout.WriteString("down\n") //nolint:errcheck // the test would notice
			return fmt.Errorf("no database: %w", ctx.Err())
		}
		return p.Run(ctx, Part{"wait", func(ctx context.Context) error {
			os.Stdout.WriteString("up\n") //nolint:errcheck // the test would notice
			<-ctx.Done()
			os.Stdout.WriteString("down\n") //nolint:errcheck // the test would notice
			return nil
		}})
	})
}

func program() *Program { return &Program{Name: "test", Log: slog.New(slog.DiscardHandler)} }

func TestPartsStopFromTheOutsideIn(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var events []string
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, s)
	}
	part := func(name string) Part {
		return Part{name, func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(10 * time.Millisecond) // a part that does not wait for this one is noted first
			note(name)
			return nil
		}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := program().Run(ctx, part("http"), part("consumer"), part("relay")); err != nil {
		t.Fatal(err)
	}
	if want := []string{"http", "consumer", "relay"}; !slices.Equal(events, want) {
		t.Errorf("stopped %v, want %v", events, want)
	}
}

func TestAPartThatFailsStopsTheOthersAndIsNamed(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	stopped := false
	err := program().Run(t.Context(),
		Part{"http", func(ctx context.Context) error { <-ctx.Done(); stopped = true; return nil }},
		Part{"relay", func(context.Context) error { return broken }})
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "relay: ") || !stopped {
		t.Errorf("error %v, the other part stopped: %t", err, stopped)
	}
}

func TestAllMistakesInTheSettingsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{"PLAY=1", "SOME=thing", "LOG_LEVEL=loud"}
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{`"MUST"`, "  SOME: ", "  LOG_LEVEL: "} {
		if !strings.Contains(string(out), name) {
			t.Errorf("%s is not named in:\n%s", name, out)
		}
	}
}

func TestTheLogTellsUTC(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{"PLAY=1", "MUST=mistake"}
	out, err := cmd.CombinedOutput()
	var line struct{ Time, Error string }
	if err := json.Unmarshal(out, &line); err != nil || !strings.HasSuffix(line.Time, "Z") || line.Error != "a mistake" {
		t.Errorf("it says %s, %v", out, err)
	}
	if err == nil {
		t.Error("it ends well")
	}
}

func TestASignalStopsTheProgramInOrder(t *testing.T) {
	t.Parallel()
	for _, must := range []string{"x", "start-up"} {
		t.Run(must, func(t *testing.T) {
			t.Parallel()
			stopBySignal(t, must)
		})
	}
}

func stopBySignal(t *testing.T, must string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{"PLAY=1", "MUST=" + must}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	n, _ := out.Read(buffer)
	if string(buffer[:n]) != "up\n" {
		t.Fatalf("said %q", buffer[:n])
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	n, _ = out.Read(buffer)
	if err := cmd.Wait(); err != nil || string(buffer[:n]) != "down\n" {
		t.Errorf("said %q, ended with %v", buffer[:n], err)
	}
}
