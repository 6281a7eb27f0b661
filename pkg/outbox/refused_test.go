package outbox_test

import (
	"errors"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/testkit"
)

// The broker's error is kept with the message that it refuses. If it could not be stored, that message would be published
// again and again.
func TestARefusalWhoseTextCannotBeStoredHoldsUpNothing(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, outbox.Migrations())
	c := collector{fate: func(m bus.Message) error {
		if m.Subject == "order-1" {
			return errors.New("no \x00 queue \xff")
		}
		return nil
	}}
	o := outbox.New("orders")
	send(t, db, o, reserve(1), reserve(2))
	if _, err := db.Exec(t.Context(), `UPDATE outbox SET due_at = now()`); err != nil {
		t.Fatal(err)
	}
	if _, err := outbox.NewRelay(db, o, &c, testkit.Log(t)).Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	var why string
	if err := db.QueryRow(t.Context(), `SELECT last_error FROM outbox`).Scan(&why); err != nil || why != "no \uFFFD queue \uFFFD" || c.count() != 1 {
		t.Errorf("it was refused because of %q, %v, and %d were published", why, err, c.count())
	}
}

// While the broker is away, each attempt makes a message due again. It does not become younger, and an alert can be made of its age.
func TestAMessageGrowsOlderWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, outbox.Migrations())
	away := true
	c := collector{fate: func(bus.Message) error {
		if away {
			return bus.ErrUnavailable
		}
		return errors.New("no queue takes it")
	}}
	o := outbox.New("orders")
	send(t, db, o, reserve(1))
	if _, err := db.Exec(t.Context(), `UPDATE outbox SET due_at = now(), created_at = now() - interval '5 minutes'`); err != nil {
		t.Fatal(err)
	}
	relay := outbox.NewRelay(db, o, &c, testkit.Log(t))
	if _, err := relay.Sweep(t.Context()); !errors.Is(err, bus.ErrUnavailable) {
		t.Fatal(err)
	}
	if backlog, err := outbox.Waiting(t.Context(), db); err != nil || backlog.Due != 1 || backlog.Oldest < 5*time.Minute {
		t.Errorf("%+v, %v", backlog, err)
	}
	away = false
	if _, err := relay.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if backlog, err := outbox.Waiting(t.Context(), db); err != nil || backlog.Refused != 1 || backlog.Oldest != 0 {
		t.Errorf("a message that is refused is another matter: %+v, %v", backlog, err)
	}
}
