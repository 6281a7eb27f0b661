package bus_test

import (
	"bytes"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
)

// One node does not exist. Another one is frozen: its kernel accepts connections, but it does not answer.
func TestAnyNodeOfAClusterThatAnswersIsUsed(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	good, err := url.Parse(v.URL)
	if err != nil {
		t.Fatal(err)
	}
	frozen, gone := silent(t), silent(t)
	gone.Close()
	nodes := []string{v.URL}
	for _, node := range []net.Listener{frozen, gone} {
		other := *good
		other.Host = node.Addr().String()
		nodes = append(nodes, other.String())
	}
	b := newBroker(t, strings.Join(nodes, ","))
	var all sync.WaitGroup
	for range 5 { // each tries the nodes in random order
		all.Go(func() {
			if states, err := b.Queues(t.Context(), "no-such-queue"); err != nil || !states[0].Missing {
				t.Errorf("%+v, %v", states, err)
			}
		})
	}
	all.Wait()
}

func TestTheAddressOfEveryNodeIsRead(t *testing.T) {
	t.Parallel()
	for urls, good := range map[string]bool{
		"amqp://a:b@one/": true,
		"amqp://a:b@one/,amqps://a:b@two:5671/vhost": true,
		"amqp://a:b@one/,http://two/":                false,
		"amqp://a:b@one/,":                           false,
		"":                                           false,
	} {
		if _, err := bus.NewBroker(urls, "test", testkit.Log(t)); (err == nil) != good {
			t.Errorf("%q: %v", urls, err)
		}
	}
}

func silent(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// A full queue looks the same as a node that does not know its new leader. In a new session the node does know it.
func TestARefusalIsNotBelievedForEver(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	var sessions sessionLog
	b, err := bus.NewBroker(v.URL, "orders", slog.New(slog.NewTextHandler(&sessions, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	p := b.NewPublisher()
	testkit.Go(t, p.Run)
	testkit.Until(t, "there is a session", b.Connected)
	v.Full("full", bus.Commands, kind)
	testkit.Until(t, "a message was refused, and then there was another session", func() bool {
		errs := p.Publish(t.Context(), []bus.Message{message("{}")})
		return errs[0] != nil && sessions.count.Load() > 1
	})
	// With room in the queue, a new session publishes again: it knows nothing of the refusals.
	for _, ok := v.Get("full"); ok; _, ok = v.Get("full") {
	}
	testkit.Until(t, "it is taken", func() bool { return p.Publish(t.Context(), []bus.Message{message("{}")})[0] == nil })
}

// sessionLog counts the sessions that a log tells of.
type sessionLog struct{ count atomic.Int32 }

func (l *sessionLog) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(`msg="session with RabbitMQ"`)) {
		l.count.Add(1)
	}
	return len(line), nil
}
