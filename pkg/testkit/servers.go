// Package testkit gives tests real servers: a database and a vhost of their own for each test. It is for tests only.
package testkit

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/local/servers"
	"example.com/orderflow/pkg/postgres"
	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
)

// Main runs a package's tests and stops the servers that they have started. With TEST_POSTGRES_URL, TEST_RABBITMQ_URL and
// TEST_RABBITMQ_MANAGEMENT_URL set, as `make test` does, all packages share servers instead. The local time zone is not
// UTC, so a test notices when a time depends on it.
func Main(m *testing.M) {
	time.Local = time.FixedZone("far away", -5*60*60) //nolint:gosmopolitan // the tests need a zone that is not UTC
	code := m.Run()
	shared.stop()
	os.Exit(code)
}

var shared lazy

// lazy starts each server when the first test asks for it.
type lazy struct {
	mu       sync.Mutex
	dir      string
	postgres *servers.Postgres
	rabbit   *servers.RabbitMQ
}

func (l *lazy) folder() string {
	if l.dir == "" {
		dir, err := os.MkdirTemp("", "orderflow-test-")
		if err != nil {
			panic(err)
		}
		if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL may have to run as another user
			panic(err)
		}
		l.dir = dir
	}
	return l.dir
}

func (l *lazy) databases(t *testing.T) servers.Databases {
	if url := os.Getenv("TEST_POSTGRES_URL"); url != "" {
		return servers.Databases{URL: url}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.postgres == nil {
		p, err := servers.StartPostgres(context.Background(), servers.Options{
			Dir: filepath.Join(l.folder(), "postgres"), Settings: map[string]string{"fsync": "off", "max_connections": "500"},
		})
		if err != nil {
			t.Fatal(err)
		}
		l.postgres = p
	}
	return l.postgres.Databases
}

func (l *lazy) broker(t *testing.T) servers.Broker {
	if url := os.Getenv("TEST_RABBITMQ_URL"); url != "" {
		return servers.Broker{URL: url, Management: os.Getenv("TEST_RABBITMQ_MANAGEMENT_URL")}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rabbit == nil {
		r, err := servers.StartRabbitMQ(context.Background(), servers.Options{Dir: filepath.Join(l.folder(), "rabbitmq")})
		if err != nil {
			t.Fatal(err)
		}
		l.rabbit = r
	}
	return l.rabbit.Broker
}

func (l *lazy) stop() {
	if l.postgres != nil {
		_ = l.postgres.Stop()
	}
	if l.rabbit != nil {
		l.rabbit.Kill() // its data is removed anyway
	}
	if l.dir != "" {
		_ = os.RemoveAll(l.dir)
	}
}

// DatabaseURL makes an empty database with a role of its own.
func DatabaseURL(t *testing.T) string {
	t.Helper()
	admin := shared.databases(t)
	name := "t_" + strings.ToLower(rand.Text()[:12])
	url, err := admin.CreateDatabase(t.Context(), name, "secret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), admin.URL)
		if err != nil {
			return
		}
		defer conn.Close(context.Background()) //nolint:errcheck // only a test's database is left behind
		_, _ = conn.Exec(context.Background(), `DROP DATABASE `+name+` WITH (FORCE)`)
		_, _ = conn.Exec(context.Background(), `DROP ROLE `+name)
	})
	return url
}

// AsAdministrator runs a statement as the administrator of the server that has DatabaseURL's databases.
func AsAdministrator(t *testing.T, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), shared.databases(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // nothing depends on it any more
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// DB makes a database with these parts of a schema.
func DB(t *testing.T, parts ...postgres.Migrations) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), DatabaseURL(t), "test", Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if err := postgres.Migrate(t.Context(), db, Log(t), parts...); err != nil {
		t.Fatal(err)
	}
	return db
}

// Vhost is a vhost of a broker that only one test uses.
type Vhost struct {
	servers.Broker
	Name string
	URL  string // of an administrator, in this vhost

	t       *testing.T
	mu      sync.Mutex
	ch      *amqp.Channel
	returns chan amqp.Return
}

// NewVhost makes an empty vhost on the shared broker.
func NewVhost(t *testing.T) *Vhost {
	t.Helper()
	return VhostOn(t, shared.broker(t))
}

// VhostOn makes an empty vhost on a broker.
func VhostOn(t *testing.T, broker servers.Broker) *Vhost {
	t.Helper()
	name := "t-" + strings.ToLower(rand.Text()[:12])
	if err := broker.CreateVhost(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	url, err := broker.VhostURL(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.DeleteVhost(context.Background(), name) })
	return &Vhost{Broker: broker, Name: name, URL: url, t: t}
}

// PrivateRabbitMQ starts a broker that a test may stop, kill and freeze, with lines of configuration of its own.
func PrivateRabbitMQ(t *testing.T, settings map[string]string) *servers.RabbitMQ {
	t.Helper()
	r, err := servers.StartRabbitMQ(t.Context(), servers.Options{Dir: t.TempDir(), Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Kill)
	return r
}

// PrivatePostgres starts a PostgreSQL that a test may stop, kill and freeze.
func PrivatePostgres(t *testing.T) *servers.Postgres {
	t.Helper()
	p, err := servers.StartPostgres(t.Context(), servers.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop() })
	return p
}

// Log writes to the test's own log.
func Log(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// timeout is how long Until waits. It is long because test machines may be slow and shared; no test should need it.
const timeout = 60 * time.Second

// Until waits until holds returns true. It fails the test after timeout.
func Until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(timeout); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not: %s", timeout, what)
		}
	}
}

// Go runs a part of a program until the test ends or stop is called. It then waits for the part to end.
func Go(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(timeout):
			t.Error(fmt.Errorf("a part did not stop within %s", timeout))
		}
	})
	t.Cleanup(stop)
	return stop
}
