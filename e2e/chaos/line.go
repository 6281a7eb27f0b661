package chaos

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// line is one connection: from a program to a door of the way, and on to the server.
type line struct {
	way       *way
	near, far net.Conn
	lost      atomic.Bool // the far end is gone, and the near end does not know it
}

func (l *line) run() {
	l.way.mu.Lock()
	l.way.lines[l] = true
	l.way.mu.Unlock()

	var both sync.WaitGroup
	both.Go(func() { l.carry(l.far, l.near, false) })
	both.Go(func() { l.carry(l.near, l.far, true) })
	both.Wait()

	l.way.mu.Lock()
	delete(l.way.lines, l)
	l.way.mu.Unlock()
	_ = l.near.Close() // both directions have ended
	_ = l.far.Close()
}

// carry copies data from one end to the other until the first one is closed, and then closes the other.
func (l *line) carry(to, from net.Conn, answers bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if l.lost.Load() {
			if answers || err != nil {
				l.while(HalfOpen) // the near end gets no error until the fault is over
				reset(l.near)
				return
			}
			l.way.hit() // sent to a host that is gone
			continue
		}
		if n > 0 {
			l.pass(answers)
			if _, failed := to.Write(buffer[:n]); failed != nil {
				if l.lost.Load() {
					continue // lost with the other data under way
				}
				l.untold(answers)
				l.reset()
				return
			}
		}
		if err != nil {
			l.pass(answers)
			l.untold(!answers)
			if half, ok := to.(*net.TCPConn); !ok || half.CloseWrite() != nil {
				l.reset()
			}
			return
		}
	}
}

// latency is added to each piece of data, in both directions. With several statements and requests for each step it adds up.
const latency = 150 * time.Millisecond

// pass delays data while a fault of the way would not let it arrive. The data is not lost: TCP sends it again until it
// arrives, perhaps long after it is needed. That is worse than a loss, and happens in real networks.
func (l *line) pass(answers bool) {
	for {
		wrong, changed := l.way.state()
		switch {
		case wrong == BlackHole, wrong == OneWay && answers:
			l.way.hit()
			select {
			case <-changed:
				continue
			case <-l.way.life.Done():
				return
			}
		case wrong == Latency:
			l.way.hit()
			select {
			case <-time.After(latency):
			case <-l.way.life.Done():
			}
			return
		case wrong == Reset:
			l.way.hit()
			l.reset()
			return
		default:
			return
		}
	}
}

// untold hides from the far end that the near end is gone, while its host has vanished.
func (l *line) untold(nearIsGone bool) {
	if wrong, _ := l.way.state(); nearIsGone && wrong == Vanished {
		l.way.hit()
		l.while(Vanished)
	}
}

// while waits until a fault of the way is over.
func (l *line) while(wrong Kind) {
	for {
		now, changed := l.way.state()
		if now != wrong {
			return
		}
		select {
		case <-changed:
		case <-l.way.life.Done():
			return
		}
	}
}

func (l *line) reset() {
	reset(l.near)
	reset(l.far)
}

// reset ends a connection with a reset: data under way is thrown away.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // an error means that it is closed already
	}
	_ = c.Close()
}
