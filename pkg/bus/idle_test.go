package bus_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
)

// A broker may believe that it has sent messages when it has not; the end of the session gives them back. Here the first
// deliveries never arrive, and the broker waits for their acknowledgement, as it does when they were lost with the leader
// of a queue.
func TestAMessageThatTheBrokerOnlyBelievesToHaveSentIsSentAgain(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	var swallowed atomic.Int32
	first := true // session
	between := forgetful(t, v.URL, func() bool {
		forgets := first
		first = false
		return forgets
	}, &swallowed)

	q := queue(kind)
	p, stop := running(t, newBroker(t, v.URL), q, func(_ context.Context, batch []bus.Delivery) []error { return make([]error, len(batch)) })
	stop() // only its publisher is needed
	var got seen
	testkit.Go(t, newBroker(t, between).NewConsumer(q, p, func(_ context.Context, batch []bus.Delivery) []error {
		got.add(batch)
		return make([]error, len(batch))
	}).Run)
	m := message(`1`)
	publish(t, p, m)
	testkit.Until(t, "the message is lost on its way", func() bool { return swallowed.Load() > 0 })
	testkit.Until(t, "it is there all the same", func() bool { return got.count() == 1 })
	if d := got.list[0]; d.ID != m.ID {
		t.Errorf("got %s, want %s", d.ID, m.ID)
	}
}

// forgetful is a proxy in front of a broker. It swallows all deliveries on those connections for which forgets returns
// true.
func forgetful(t *testing.T, broker string, forgets func() bool, swallowed *atomic.Int32) (address string) {
	t.Helper()
	target, err := url.Parse(broker)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", target.Host)
			if err != nil {
				_ = near.Close()
				return
			}
			lossy := forgets()
			go func() {
				_, _ = io.Copy(far, near)
				_ = far.Close()
			}()
			go func() {
				_ = frames(near, far, func(deliver bool) bool {
					if deliver && lossy {
						swallowed.Add(1)
					}
					return deliver && lossy
				})
				_ = near.Close()
			}()
		}
	}()
	through := *target
	through.Host = listener.Addr().String()
	return through.String()
}

// frames copies frames of AMQP 0-9-1 and leaves out those of deliveries, method, header and body, if swallow says so.
func frames(to io.Writer, from io.Reader, swallow func(deliver bool) bool) error {
	const method, heartbeat, basicDeliver, overhead = 1, 8, 60<<16 | 60, 8
	leftOut := false
	for {
		head := make([]byte, 7) // type, channel, size
		if _, err := io.ReadFull(from, head); err != nil {
			return err
		}
		frame := make([]byte, overhead+binary.BigEndian.Uint32(head[3:]))
		copy(frame, head)
		if _, err := io.ReadFull(from, frame[len(head):]); err != nil {
			return err
		}
		if head[0] == method {
			leftOut = swallow(binary.BigEndian.Uint32(frame[len(head):]) == basicDeliver)
		}
		if leftOut && head[0] != heartbeat {
			continue
		}
		if _, err := to.Write(frame); err != nil {
			return err
		}
	}
}
