package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
)

// target is the system that faults happen to.
type target struct {
	*system.System
	network *Network
	clocks  clocks
}

// errNothing is the error for a fault that was executed but had no effect, so that it proves nothing.
var errNothing = errors.New("nothing came of it")

// heal undoes a fault. It is returned even if the fault had no visible effect.
type heal func(context.Context) error

// strike begins a fault, checks that it has happened, and returns how to undo it.
func (t target) strike(ctx context.Context, f Fault) (heal, error) {
	switch f.Kind {
	case Killed:
		err := t.each(f.Victim, func(p *system.Part) error { p.Kill(); return nil })
		return t.restart(f.Victim), errors.Join(err, t.gone(f.Victim))
	case Stopped:
		err := t.each(f.Victim, (*system.Part).Stop)
		return t.restart(f.Victim), errors.Join(err, t.gone(f.Victim))
	case Frozen:
		return t.freeze(ctx, f.Victim)
	case Vanished:
		return t.vanish(ctx, f.Victim)
	case Ahead, Behind:
		return t.moveClock(ctx, f)
	case Memory:
		return t.alarm(ctx, servers.Alarm{Memory: true},
			[]string{"set_vm_memory_high_watermark", "absolute", "1MB"}, []string{"set_vm_memory_high_watermark", "absolute", "512MiB"})
	case Disk:
		return t.alarm(ctx, servers.Alarm{Disk: true}, []string{"set_disk_free_limit", "100000GB"}, []string{"set_disk_free_limit", "50MB"})
	case DealtTwice:
		return t.dealTwice(f.Victim)
	case Failing, Slow, Ambiguous, Down:
		return t.worldFault(ctx, f)
	default:
		return func(context.Context) error {
			hits, err := t.network.Mend(f.Victim)
			if err == nil && hits == 0 {
				err = errNothing
			}
			return err
		}, t.network.Break(f.Victim, f.Kind)
	}
}

// each calls do for all parts with a name, at the same time.
func (t target) each(name string, do func(*system.Part) error) error {
	parts := t.Named(name)
	if len(parts) == 0 {
		return fmt.Errorf("there is no part %s", name)
	}
	failed := make([]error, len(parts))
	var all sync.WaitGroup
	for i, p := range parts {
		all.Go(func() { failed[i] = do(p) })
	}
	all.Wait()
	return errors.Join(failed...)
}

func (t target) gone(name string) error {
	return t.each(name, func(p *system.Part) error {
		if state := p.State(); state != "stopped" {
			return fmt.Errorf("%s is %s: %w", p.Name, state, errNothing)
		}
		return nil
	})
}

// startTries is how often the start of a part is tried if it is not ready within a minute: parts that it needs may have faults.
const startTries = 5

func (t target) restart(name string) heal {
	return func(ctx context.Context) error {
		return t.each(name, func(p *system.Part) (err error) {
			for range startTries {
				if err = p.Start(ctx); err == nil {
					return nil
				}
			}
			return err
		})
	}
}

// vanish simulates the loss of a replica's machine: the replica is gone, and its kernel closes no connections. It is started
// again at once, as it would be on another machine, while its peers still believe that the first one is alive, and keep its
// locks and its messages.
func (t target) vanish(ctx context.Context, name string) (heal, error) {
	ways := t.network.from(programOf(name))
	for _, way := range ways {
		if err := t.network.Break(way, Vanished); err != nil {
			return nil, err
		}
	}
	err := t.each(name, func(p *system.Part) error { p.Kill(); return nil })
	if err == nil {
		err = cmp.Or(t.gone(name), t.restart(name)(ctx))
	}
	return func(context.Context) error {
		hits := 0
		for _, way := range ways {
			n, err := t.network.Mend(way)
			if err != nil {
				return err
			}
			hits += n
		}
		if hits == 0 {
			return errNothing
		}
		return nil
	}, err
}

func programOf(name string) string { return strings.TrimRight(name, "-12") }

func (t target) freeze(ctx context.Context, name string) (heal, error) {
	err := t.each(name, func(p *system.Part) error {
		p.Suspend()
		if answers(ctx, p) {
			return fmt.Errorf("%s answers: %w", p.Name, errNothing)
		}
		return nil
	})
	return func(ctx context.Context) error {
		return t.each(name, func(p *system.Part) error {
			p.Resume()
			return until(ctx, p.Name+" answers again", func() (bool, error) { return answers(ctx, p), nil })
		})
	}, err
}

// greetings are requests that servers answer at once: of PostgreSQL whether it supports TLS, of RabbitMQ its protocol's name.
var greetings = map[string]string{
	"postgres": "\x00\x00\x00\x08\x04\xd2\x16\x2f",
	"rabbitmq": "AMQP\x00\x00\x09\x01",
}

// answers reports whether a part answers within a second. The kernel accepts connections even for a frozen part.
func answers(ctx context.Context, p *system.Part) bool {
	address, err := url.Parse(p.URL)
	if err != nil {
		return false
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address.Host)
	if err != nil {
		return false
	}
	defer conn.Close() //nolint:errcheck // nothing is lost with it
	greeting, ok := greetings[p.Name]
	if !ok {
		greeting = "GET /livez HTTP/1.0\r\n\r\n"
	}
	if _, err := conn.Write([]byte(greeting)); err != nil {
		return false
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil || !errors.Is(err, os.ErrDeadlineExceeded)
}

// alarm changes a limit of the broker so that it is short of a resource; its heal changes it back.
func (t target) alarm(ctx context.Context, want servers.Alarm, on, off []string) (heal, error) {
	shows := func(ctx context.Context, want servers.Alarm) error {
		return until(ctx, fmt.Sprintf("the broker's alarms are %+v", want), func() (bool, error) {
			got, err := t.Broker.Alarms(ctx)
			return got == want, err
		})
	}
	err := t.Rabbitmqctl(ctx, on...)
	if err == nil {
		err = shows(ctx, want)
	}
	return func(ctx context.Context) error {
		if err := t.Rabbitmqctl(ctx, off...); err != nil {
			return err
		}
		return shows(ctx, servers.Alarm{})
	}, err
}

// timeout bounds the wait for something that happens by itself.
const timeout = time.Minute

// until waits for a condition. After timeout it returns the last error of holds.
func until(ctx context.Context, what string, holds func() (bool, error)) error {
	for deadline := time.Now().Add(timeout); ; {
		ok, err := holds()
		if ok && err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("after %s still not: %s", timeout, what), err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
