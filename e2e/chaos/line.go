package chaos

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// line is one connection: from a program to the way's door, and on to what is behind it.
type line struct {
	way       *way
	near, far net.Conn
	lost      atomic.Bool // the far end is gone, and the near one has not been told
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
	_ = l.near.Close() // both directions are through with it
	_ = l.far.Close()
}

// carry brings what comes from one end to the other, until that is closed, and passes on the end itself.
func (l *line) carry(to, from net.Conn, answers bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if l.lost.Load() {
			if answers || err != nil {
				l.while(HalfOpen) // the near end believes that all is well, until it is told
				reset(l.near)
				return
			}
			l.way.hit() // said into the void
			continue
		}
		if n > 0 {
			l.pass(answers)
			if _, failed := to.Write(buffer[:n]); failed != nil {
				if l.lost.Load() {
					continue // lost with what was under way
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

// latency is on each piece of data, in both directions. With several statements and questions for each step it adds up.
const latency = 150 * time.Millisecond

// pass holds data up for as long as the way is such that it would not arrive. It is not lost: TCP sends it again until it
// does arrive, which may be long after anybody wants it. That is worse than a loss, and happens in real networks.
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

// untold keeps from the far end, for as long as its host is said to have vanished, that the near one is gone.
func (l *line) untold(nearIsGone bool) {
	if wrong, _ := l.way.state(); nearIsGone && wrong == Vanished {
		l.way.hit()
		l.while(Vanished)
	}
}

// while waits until something is no longer wrong with the way.
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

// reset ends a connection as an error does: what is under way is thrown away.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // if it is closed already, it is too late
	}
	_ = c.Close()
}
