package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/local/system"
)

func TestTheManagementAPIIsOnTheBrokersHostByDefault(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ amqp, management, want string }{
		{"amqp://admin:secret@mq:5672/", "", "http://admin:secret@mq:15672"},
		{"amqp://admin:p%40ss@mq", "", "http://admin:p%40ss@mq:15672"},
		{"amqp://admin:secret@[::1]:5672/shop", "", "http://admin:secret@[::1]:15672"},
		{"amqp://admin:secret@mq:5672/", "https://root:x@console:443", "https://root:x@console:443"},
		{"amqp://mq:5672/", "", ""}, // without an account
		{"mq:5672", "", ""},
	} {
		broker, err := brokerAt(test.amqp, test.management)
		if broker.Management != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s with %q: %q, %v, want %q", test.amqp, test.management, broker.Management, err, test.want)
		}
	}
}

func TestEveryMistakeInTheSettingsIsNamed(t *testing.T) {
	t.Setenv("GATEWAY_PORT", "http")
	t.Setenv("REPLICAS", "-1")
	t.Setenv("RABBITMQ_URL", "mq")
	_, err := readSettings()
	for _, want := range []string{"GATEWAY_PORT", "REPLICAS", "RABBITMQ_URL"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error says nothing of %s: %v", want, err)
		}
	}
}

func TestTheSupervisorObeysOnlyCallersThatCanReadItsFolder(t *testing.T) {
	t.Parallel()
	dir, stopped := t.TempDir(), false
	if _, err := visit(t.Context(), dir, http.MethodGet, "/status", nil); !errors.Is(err, errNotRunning) {
		t.Errorf("before there is one: %v", err)
	}
	d, err := openDesk(t.Context(), dir, func() { stopped = true })
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()

	r, err := ask(t.Context(), settings{dir: dir})
	if err != nil || r.Ready {
		t.Errorf("while the system starts: %v, %v", r, err)
	}
	if _, err := visit(t.Context(), dir, http.MethodPost, "/stop", url.Values{"name": {"orders"}}); err == nil || !strings.Contains(err.Error(), "not ready") {
		t.Errorf("a request for a part while the system starts: %v", err)
	}
	if _, err := books(t.Context(), settings{dir: dir}); err == nil || !strings.Contains(err.Error(), "not ready") {
		t.Errorf("a question for the books while the system starts: %v", err)
	}
	d.serve(&system.System{GatewayURL: "http://127.0.0.1:8080", SimulatorURL: "http://127.0.0.1:8090"})
	if b, err := books(t.Context(), settings{dir: dir, repo: "/repo"}); err != nil || b.Simulator != "http://127.0.0.1:8090" || b.Repo != "/repo" {
		t.Errorf("where the books are when the system is ready: %+v, %v", b, err)
	}
	if r, err := ask(t.Context(), settings{dir: dir}); err != nil || !r.Ready || r.Gateway != "http://127.0.0.1:8080" {
		t.Errorf("when the system is ready: %v, %v", r, err)
	}
	if _, err := visit(t.Context(), dir, http.MethodPost, "/stop", url.Values{"name": {"order"}}); err == nil || !strings.Contains(err.Error(), `no "order"`) {
		t.Errorf("a request for a part that is not there: %v", err)
	}

	posted, err := readSign(dir)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(posted.URL+"/down", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized || stopped {
		t.Errorf("without the key it says %s, and stopped is %v", answer.Status, stopped)
	}
	if _, err := visit(t.Context(), dir, http.MethodPost, "/down", nil); err != nil || !stopped {
		t.Errorf("with the key: %v, and stopped is %v", err, stopped)
	}
	info, err := os.Stat(filepath.Join(dir, "supervisor.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key can be read by others: %v, %v", info.Mode(), err)
	}
}

func TestASupervisorThatWasKilledCountsAsNotRunning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := openDesk(t.Context(), dir, func() {})
	if err != nil {
		t.Fatal(err)
	}
	sign, err := os.ReadFile(d.file)
	if err != nil {
		t.Fatal(err)
	}
	d.close()
	if err := os.WriteFile(d.file, sign, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), settings{dir: dir}); !errors.Is(err, errNotRunning) {
		t.Errorf("it counts as %v", err)
	}
	if err := down(t.Context(), settings{dir: dir}); err != nil {
		t.Errorf("ending it: %v", err)
	}
}

func TestACommandsExitCodeIsPassedOn(t *testing.T) {
	t.Setenv("TEST_POSTGRES_URL", "given") // so that no server has to start
	t.Setenv("TEST_RABBITMQ_URL", "given")
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, `test "$TEST_POSTGRES_URL" = given`: 0} {
		if got := run([]string{"exec", "--", "sh", "-c", script}); got != want {
			t.Errorf("%q ended with %d, want %d", script, got, want)
		}
	}
	if err := execute(context.Background(), []string{"--", "no-such-program"}); err == nil {
		t.Error("a program that does not exist is no error")
	}
}

func TestTheFolderOfAKilledDemoIsRemovedAndThatOfARunningOneIsKept(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	running, lock, err := freshFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	killed := filepath.Join(parent, "demo-killed")
	if err := os.Mkdir(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for _, dir := range []string{running, killed} {
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	_, other, err := freshFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := os.Stat(running); err != nil {
		t.Errorf("the running demo's folder: %v", err)
	}
	if _, err := os.Stat(killed); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the killed demo's folder: %v", err)
	}
}

func TestCleaningRemovesWhatTheSystemKeepsAndNothingElse(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	for _, kept := range []string{"postgres/data", "rabbitmq/log", "simulator", "secrets", "logs", "bin"} {
		if err := os.MkdirAll(filepath.Join(home, kept), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	killed := filepath.Join(home, "demo-killed")
	long := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Mkdir(killed, 0o700), os.Chtimes(killed, long, long)); err != nil {
		t.Fatal(err)
	}
	letter := filepath.Join(home, "letter")
	for _, file := range []string{letter, filepath.Join(home, "lock")} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := clean(t.Context(), settings{dir: home}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 1 || left[0].Name() != "letter" {
		t.Errorf("what is left: %v, %v", left, err)
	}
	if err := errors.Join(os.Remove(letter), clean(t.Context(), settings{dir: home})); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(home); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder is left: %v", err)
	}
	if err := clean(t.Context(), settings{dir: home}); err != nil {
		t.Errorf("when there is nothing: %v", err)
	}
}

func TestCleaningTheCheckoutRemovesItsFolderAndCleaningAnotherFolderDoesNot(t *testing.T) {
	t.Parallel()
	repo, other := t.TempDir(), t.TempDir()
	measured := filepath.Join(repo, ".local", "bench", "results.json")
	running := filepath.Join(repo, ".local", "postgres", "data")
	if err := errors.Join(os.MkdirAll(filepath.Dir(measured), 0o700), os.MkdirAll(running, 0o700), os.WriteFile(measured, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := clean(t.Context(), settings{repo: repo, dir: other}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(running); err != nil {
		t.Errorf("the data of the checkout's system, when another folder was cleaned: %v", err)
	}
	if err := clean(t.Context(), settings{repo: repo, dir: filepath.Join(repo, ".local")}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(repo); err != nil || len(left) != 0 {
		t.Errorf("what is left in the checkout: %v, %v", left, err)
	}
}

func TestTheMakefileLeavesItToTheToolToRemoveData(t *testing.T) {
	t.Parallel()
	repo, err := system.FindRepo(".")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(repo, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(makefile)) {
		if strings.Contains(line, "rm -") && strings.TrimSpace(line) != "@rm -rf bin" {
			t.Errorf("the folder of the data may be another one than this thinks: %s", line)
		}
	}
}
