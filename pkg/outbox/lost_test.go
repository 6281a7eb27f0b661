package outbox_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
)

// severed returns the address of a proxy to a database. While cut is set, the connection breaks after the server has
// committed and before it can say so.
func severed(t *testing.T, address string, cut *atomic.Bool) string {
	t.Helper()
	way, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	server := way.Host
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			behind, err := (&net.Dialer{}).DialContext(t.Context(), "tcp4", server)
			if err != nil {
				_ = client.Close()
				return
			}
			go func() { _, _ = io.Copy(behind, client); _ = behind.Close() }()
			go func() { _ = untilCommitted(client, behind, cut); _ = client.Close() }()
		}
	}()
	way.Host = listener.Addr().String()
	return way.String()
}

// untilCommitted passes on what a server says; if cut is set, it stops before the answer to a commit.
func untilCommitted(to io.Writer, from io.Reader, cut *atomic.Bool) error {
	for {
		var head [5]byte // the type, and the length without it
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(from, body); err != nil {
			return err
		}
		if head[0] == 'C' && bytes.HasPrefix(body, []byte("COMMIT")) && cut.Load() {
			return nil
		}
		if _, err := to.Write(append(head[:], body...)); err != nil {
			return err
		}
	}
}

// The connection breaks during the commit. It is not known whether it has committed, so the messages are not kept in
// memory.
func TestMessagesAreNotLostWhenTheAnswerToTheirCommitIs(t *testing.T) {
	t.Parallel()
	address := testkit.DatabaseURL(t)
	var cut atomic.Bool
	db, err := postgres.Open(t.Context(), address, "test", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if err := postgres.Migrate(t.Context(), db, testkit.Log(t), outbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	unsafe, err := postgres.Open(t.Context(), severed(t, address, &cut), "test", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unsafe.Close)

	o := outbox.New("orders")
	var c collector
	cut.Store(true)
	err = unsafe.Tx(t.Context(), func(tx *postgres.Tx) error { return o.Deliver(t.Context(), tx, many(0, 2000)...) })
	if !postgres.Unavailable(err) {
		t.Errorf("%v, want an error that is about the server", err)
	}
	cut.Store(false)
	if n := rows(t, db); n != 2000 {
		t.Fatalf("%d rows, want what was committed, once", n)
	}
	stop := testkit.Go(t, outbox.NewRelay(db, o, &c, testkit.Log(t)).Run)
	testkit.Until(t, "they are published from the table", func() bool { return rows(t, db) == 0 })
	if n := c.count(); n < 2000 {
		t.Errorf("%d are published", n)
	}
	stop()
	send(t, db, o, many(0, 2000)...)
	if with, without := leased(t, db); with != 2000 || without != 0 {
		t.Errorf("%d are kept in memory and %d not, although there is room", with, without)
	}
}
