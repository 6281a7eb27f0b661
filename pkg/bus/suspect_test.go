package bus_test

import (
	"errors"
	"strings"
	"testing"

	"example.com/orderflow/local/servers"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
)

// The broker closes the channel over a message that it does not allow, and does not say which one it was. Published alone,
// that message is refused with the reason. The others are published.
func TestAMessageThatTheBrokerDoesNotAllowIsSuspectedInABatchAndRefusedAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*bus.Message)
		why   string
	}{
		"to an exchange that is not there":           {func(m *bus.Message) { m.Exchange = "nowhere" }, "NOT_FOUND"},
		"to an exchange that is not for this sender": {func(m *bus.Message) { m.Exchange = bus.Commands }, "ACCESS_REFUSED"},
		"of a kind that is not for this sender":      {func(m *bus.Message) { m.Kind = "shipping.shipment_arranged" }, "ACCESS_REFUSED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := testkit.NewVhost(t)
			url, err := v.CreateUser(t.Context(), v.Name, servers.BrokerUser{
				Name: "p-" + v.Name, Password: "secret", Configure: ".*", Write: `^(orderflow\.events|nowhere)$`, Read: ".*",
				TopicExchange: bus.Events, TopicWrite: `^payments\.`, TopicRead: ".*",
			})
			if err != nil {
				t.Fatal(err)
			}
			b := newBroker(t, url)
			p := b.NewPublisher()
			testkit.Go(t, p.Run)
			testkit.Until(t, "there is a session", b.Connected)
			v.Tap("tap", bus.Events, "#")
			event := func() bus.Message {
				m := message(`{}`)
				m.Exchange, m.Kind = bus.Events, "payments.payment_taken"
				return m
			}
			bad := event()
			c.spoil(&bad)
			batch := []bus.Message{event(), bad, event()}
			errs := p.Publish(t.Context(), batch)
			if !errors.Is(errs[1], bus.ErrSuspect) || !errors.Is(errs[1], bus.ErrUnavailable) || !strings.Contains(errs[1].Error(), c.why) {
				t.Errorf("in a batch: %v, want a suspect with %s", errs[1], c.why)
			}
			for _, i := range []int{0, 2} { // confirmed before it, or suspect too
				if errs[i] != nil && !errors.Is(errs[i], bus.ErrSuspect) {
					t.Errorf("message %d: %v", i, errs[i])
				}
			}
			testkit.Until(t, "alone it is refused, with the reason", func() bool {
				err := p.Publish(t.Context(), []bus.Message{bad})[0]
				if err == nil || errors.Is(err, bus.ErrSuspect) {
					t.Fatalf("alone: %v", err)
				}
				return !errors.Is(err, bus.ErrUnavailable) && strings.Contains(err.Error(), c.why)
			})
			testkit.Until(t, "the others are published", func() bool {
				return p.Publish(t.Context(), batch[:1])[0] == nil && p.Publish(t.Context(), batch[2:])[0] == nil
			})
			if n := v.Depth("tap"); n < 2 {
				t.Errorf("%d have arrived", n)
			}
		})
	}
}

// A connection that the broker closes says nothing about what was published on it.
func TestAClosedConnectionMakesNothingSuspect(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	b := newBroker(t, v.URL)
	p := b.NewPublisher()
	testkit.Go(t, p.Run)
	testkit.Until(t, "there is a session", b.Connected)
	v.Tap("tap", bus.Commands, kind)
	done := make(chan struct{})
	go func() { defer close(done); v.CloseConnections("publisher") }()
	for closed := false; !closed; {
		select {
		case <-done:
			closed = true
		default:
		}
		for _, err := range p.Publish(t.Context(), []bus.Message{message(`{}`), message(`{}`)}) {
			if err != nil && (errors.Is(err, bus.ErrSuspect) || !errors.Is(err, bus.ErrUnavailable)) {
				t.Errorf("%v", err)
			}
		}
	}
}
