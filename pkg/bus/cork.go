package bus

import (
	"net"
	"sync"
)

// corkedMost is how many bytes a corked connection keeps.
const corkedMost = 64 << 10

// corked is a connection that can hold back what is written, and send it together. The library writes each message by
// itself: a batch of 200 messages would be 200 system calls here, and would wake the broker as many times.
type corked struct {
	net.Conn

	mu   sync.Mutex
	kept []byte
	cork bool
}

// Write implements net.Conn.
func (c *corked) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.cork {
		return c.Conn.Write(b)
	}
	if len(c.kept)+len(b) > corkedMost {
		if err := c.send(); err != nil {
			return 0, err
		}
	}
	c.kept = append(c.kept, b...)
	return len(b), nil
}

// hold keeps what is written from now on, until release.
func (c *corked) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cork = true
}

// release sends what was kept.
func (c *corked) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cork = false
	return c.send()
}

func (c *corked) send() error {
	if len(c.kept) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.kept)
	c.kept = c.kept[:0]
	return err
}
