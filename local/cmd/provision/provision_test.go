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

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/servers"
)

func set(t *testing.T, env map[string]string) {
	t.Helper()
	for _, user := range servers.BrokerUsers() {
		name := servers.Setting(user.Name)
		t.Setenv(name+"_DATABASE_PASSWORD", "db-"+name)
		t.Setenv(name+"_RABBITMQ_PASSWORD", "mq-"+name)
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
}

// One pair of servers for all subtests: RabbitMQ takes seconds to start.
func TestEveryProgramGetsItsAccountsHoweverOftenItRuns(t *testing.T) {
	dir := t.TempDir()
	postgres := start(t, servers.StartPostgres, filepath.Join(dir, "postgres"))
	rabbit := start(t, servers.StartRabbitMQ, filepath.Join(dir, "rabbitmq"))
	set(t, map[string]string{"POSTGRES_URL": postgres.URL, "RABBITMQ_URL": rabbit.Broker.URL, "RABBITMQ_MANAGEMENT_URL": rabbit.Management})

	// The servers start while it waits.
	if err := postgres.Stop(); err != nil {
		t.Fatal(err)
	}
	rabbit.Kill()
	code := make(chan int)
	go func() { code <- run(t.Context(), nil) }()
	time.Sleep(300 * time.Millisecond)
	for _, start := range []func(context.Context) error{postgres.Start, rabbit.Start} {
		if err := start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-code; got != 0 {
		t.Fatalf("exit code %d", got)
	}

	at := func(user, password, database string) error {
		u, _ := url.Parse(postgres.URL)
		u.User, u.Path = url.UserPassword(user, password), "/"+database
		return connect(t.Context(), u.String())
	}
	for _, service := range servers.Services() {
		if err := at(service, "db-"+strings.ToUpper(service), service); err != nil {
			t.Errorf("%s at its database: %v", service, err)
		}
		if err := at(service, "db-"+strings.ToUpper(service), "orders"); service != "orders" && err == nil {
			t.Errorf("%s may connect to the database of orders", service)
		}
	}
	for _, user := range servers.BrokerUsers() {
		// An account without a tag may not use the management API: the 401 says whether the password or the tag is wrong.
		if said := whoami(t, rabbit.Management, user.Name, "mq-"+strings.ToUpper(strings.ReplaceAll(user.Name, "-", "_"))); !strings.Contains(said, "Not management user") {
			t.Errorf("%s at the broker: %s", user.Name, said)
		}
	}

	t.Setenv("ORDERS_DATABASE_PASSWORD", "another")
	t.Setenv("ORDERS_RABBITMQ_PASSWORD", "another")
	if got := run(t.Context(), nil); got != 0 {
		t.Fatalf("the second time: exit code %d", got)
	}
	if err := at("orders", "another", "orders"); err != nil {
		t.Errorf("orders with its new password: %v", err)
	}
	if err := at("orders", "db-ORDERS", "orders"); err == nil {
		t.Error("orders may still connect with its old password")
	}
	if said := whoami(t, rabbit.Management, "orders", "another"); !strings.Contains(said, "Not management user") {
		t.Errorf("orders at the broker with its new password: %s", said)
	}
	if err := at("payments", "db-PAYMENTS", "payments"); err != nil {
		t.Errorf("payments, whose password is the same: %v", err)
	}
}

func TestItGivesUpWhenTheServersNeverCome(t *testing.T) {
	set(t, map[string]string{
		"POSTGRES_URL": "postgres://admin:secret@127.0.0.1:9/", "RABBITMQ_URL": "amqp://admin:secret@127.0.0.1:9/", "RABBITMQ_MANAGEMENT_URL": "http://admin:secret@127.0.0.1:9",
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got := run(ctx, nil); got != 1 {
		t.Errorf("exit code %d, want 1", got)
	}
}

func TestAllMistakesAreNamedAtOnceWithoutPasswords(t *testing.T) {
	set(t, map[string]string{
		"POSTGRES_URL": "postgres://admin:hunter2@/orders", "RABBITMQ_URL": "", "RABBITMQ_MANAGEMENT_URL": "amqp://admin:hunter2@mq:15672",
		"ORDERS_DATABASE_PASSWORD": "hunter2@", "BFF_WEB_RABBITMQ_PASSWORD": "",
	})
	_, err := readSettings()
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"POSTGRES_URL", "RABBITMQ_URL", "RABBITMQ_MANAGEMENT_URL", "ORDERS_DATABASE_PASSWORD", "BFF_WEB_RABBITMQ_PASSWORD"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in:\n%v", name, err)
		}
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines != 5 || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("want 5 lines without a password:\n%v", err)
	}
	if got := run(t.Context(), nil); got != 2 {
		t.Errorf("exit code %d, want 2", got)
	}
	if got := run(t.Context(), []string{"-health"}); got != 2 {
		t.Errorf("with an argument: exit code %d, want 2", got)
	}
}

func start[S interface{ Stop() error }](t *testing.T, start func(context.Context, servers.Options) (S, error), dir string) S {
	t.Helper()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // PostgreSQL may have to run as another user
		t.Fatal(err)
	}
	server, err := start(t.Context(), servers.Options{Dir: dir, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

func connect(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}

// whoami returns the management API's answer to an account.
func whoami(t *testing.T, management, user, password string) string {
	t.Helper()
	u, _ := url.Parse(management)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+u.Host+"/api/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(user, password)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // the rest is not needed
	body := make([]byte, 200)
	n, _ := answer.Body.Read(body)
	return string(body[:n])
}
