package postgres_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
)

// firstLine is a log that ends its context after the first line.
type firstLine struct {
	bytes.Buffer
	said context.CancelFunc
}

func (l *firstLine) Write(p []byte) (int, error) {
	defer l.said()
	return l.Buffer.Write(p)
}

// A program that waits without a log line looks like one that hangs.
func TestAProgramThatWaitsForItsDatabaseLogsTheReason(t *testing.T) {
	t.Parallel()
	locked := testkit.DatabaseURL(t)
	testkit.AsAdministrator(t, `ALTER ROLE `+roleOf(t, locked)+` NOLOGIN`)
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, url, why string }{
		{"another password", strings.Replace(testkit.DatabaseURL(t), ":secret@", ":mistaken@", 1), "28P01"},
		{"a role that may not log in", locked, "28000"},
		{"nobody at the address", "postgres://orders:secret@" + port.Addr().String() + "/orders", "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, said := context.WithTimeout(t.Context(), time.Minute)
			log := &firstLine{said: said}
			db, err := postgres.Open(ctx, c.url, "test", slog.New(slog.NewTextHandler(log, nil)))
			if err == nil {
				db.Close()
				t.Fatal("it is let in")
			}
			if line := log.String(); !strings.Contains(line, "level=WARN") || !strings.Contains(line, c.why) {
				t.Errorf("it says %q, want a warning with %q", line, c.why)
			}
			for _, password := range []string{"secret", "mistaken"} {
				if strings.Contains(log.String(), password) {
					t.Errorf("the password is in the log: %s", log)
				}
			}
		})
	}
}

func roleOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.User.Username()
}
