package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	headerWithin = 5 * time.Second // timeouts of the gateway in this test
	bodyWithin   = 7 * time.Second
	idleWithin   = 5 * time.Second
	grace        = 10 * time.Second // added for slow machines
	manyIdle     = 10_000
	memoryMost   = 400 << 20 // a connection costs some 20 kB, and the garbage collector lets the heap double
)

// Clients that are slow or endless, or that send too much or nonsense, are disconnected as the settings say. They cost the
// gateway little, and other clients do not notice them.
func TestHostileClientsHarmNoOthers(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	before := g.memory(t)
	stop := g.serveOthers(t)
	for _, attack := range []struct {
		name string
		run  func(*testing.T, process)
	}{
		{"a header that comes byte by byte ends in time", slowHeaders},
		{"a body that comes byte by byte ends in time", slowBodies},
		{"a body without end is refused at its first megabyte", endlessBody},
		{"a body that is too large is refused unread", hugeBody},
		{"a header without end is refused", endlessHeader},
		{"what is no HTTP is refused", nonsense},
		{"ten thousand who do nothing are let go in time", idle},
	} {
		t.Run(attack.name, func(t *testing.T) { attack.run(t, g) })
	}
	served, slowest := stop()
	after := g.memory(t)
	t.Logf("%d requests of others were served meanwhile, the slowest in %s; memory %d MB before, %d MB after", served, slowest, before>>20, after>>20)
	if served == 0 {
		t.Error("nobody was served")
	}
}

func (g process) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", g.address, grace)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// drip sends text and then one byte at a time until the gateway ends the connection. It returns what the gateway has sent, and
// after what time it ended.
func drip(c net.Conn, text string) (said string, after time.Duration) {
	defer c.Close()
	begun := time.Now()
	go func() {
		_, err := io.WriteString(c, text)
		for err == nil {
			time.Sleep(200 * time.Millisecond)
			_, err = io.WriteString(c, "a")
		}
	}()
	_ = c.SetReadDeadline(begun.Add(bodyWithin + 2*grace))
	all, _ := io.ReadAll(c) // any error will do: only the time matters
	return string(all), time.Since(begun)
}

func slowHeaders(t *testing.T, g process) {
	slow(t, g, "GET / HTTP/1.1\r\nHost: shop\r\nX: ", headerWithin)
}

func slowBodies(t *testing.T, g process) {
	slow(t, g, "POST /cart HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000000\r\n\r\n", bodyWithin)
}

func slow(t *testing.T, g process, text string, within time.Duration) {
	var clients sync.WaitGroup
	for range 200 {
		c := g.dial(t)
		clients.Go(func() {
			if said, after := drip(c, text); after < within/2 || after > within+grace {
				t.Errorf("the connection was ended after %s: %.100q", after, said)
			}
		})
	}
	clients.Wait()
	g.bounded(t)
}

// flood sends begin and then more until the gateway stops it. It returns the status of the answer, and how many bytes the
// gateway let in.
func flood(t *testing.T, g process, begin, more string) (status string, sent int) {
	t.Helper()
	c := g.dial(t)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(bodyWithin + 2*grace))
	var through atomic.Int64
	go func() {
		_, err := io.WriteString(c, begin)
		for n := 0; err == nil && through.Load() < 64<<20; through.Add(int64(n)) {
			n, err = io.WriteString(c, more)
		}
	}()
	line, _ := bufio.NewReader(c).ReadString('\n') // empty if the connection was reset
	return cmp.Or(strings.TrimPrefix(strings.TrimSpace(line), "HTTP/1.1 "), "nothing"), int(through.Load())
}

func endlessBody(t *testing.T, g process) {
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 32<<10, strings.Repeat("a", 32<<10))
	refused(t, g, "POST /cart HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n", chunk, "413", 16<<20)
}

func hugeBody(t *testing.T, g process) {
	refused(t, g, "POST /cart HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000000000000\r\n\r\n", strings.Repeat("a", 32<<10), "413", 16<<20)
}

func endlessHeader(t *testing.T, g process) {
	refused(t, g, "GET / HTTP/1.1\r\nHost: shop\r\n", "X-More: "+strings.Repeat("a", 4<<10)+"\r\n", "431", 16<<20)
}

// refused floods the gateway with many clients. The bytes that it lets in are mostly those in the kernel's buffers.
func refused(t *testing.T, g process, begin, more, status string, most int) {
	var clients sync.WaitGroup
	var answered atomic.Int64
	for range 50 {
		clients.Go(func() {
			got, sent := flood(t, g, begin, more)
			switch {
			case strings.HasPrefix(got, status), strings.HasPrefix(got, "400"): // 400: the time was over before the size was exceeded
				answered.Add(1)
			case got != "nothing":
				t.Errorf("the answer is %s", got)
			}
			if sent > most {
				t.Errorf("%d MB were let in", sent>>20)
			}
		})
	}
	clients.Wait()
	if answered.Load() == 0 {
		t.Error("nobody was told why")
	}
	g.bounded(t)
}

func nonsense(t *testing.T, g process) {
	for _, text := range []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00\x00\x00\x00\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: what\r\n\r\n",
		"POST /cart HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
	} {
		c := g.dial(t)
		_ = c.SetDeadline(time.Now().Add(headerWithin + grace))
		_, _ = io.WriteString(c, text)
		line, _ := bufio.NewReader(c).ReadString('\n')
		if status := strings.TrimPrefix(line, "HTTP/1.1 "); line != "" && status[:1] != "4" && status[:3] != "501" && status[:3] != "505" {
			t.Errorf("%q: %s", text, line)
		}
		c.Close()
	}
}

// idle opens connections that send one request or none, and then do nothing.
func idle(t *testing.T, g process) {
	many := manyIdle
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < uint64(many+2000) {
		many = max(100, int(limit.Cur)/2)
		t.Logf("a process may have %d files open here: %d connections instead of %d", limit.Cur, many, manyIdle)
	}
	connections := make([]net.Conn, many)
	for i := range connections {
		connections[i] = g.dial(t)
		if i%2 == 0 {
			_, _ = io.WriteString(connections[i], "GET /livez HTTP/1.1\r\nHost: shop\r\n\r\n")
		}
	}
	g.bounded(t)
	deadline := time.Now().Add(max(idleWithin, headerWithin) + grace)
	for i, c := range connections {
		_ = c.SetReadDeadline(deadline)
		if _, err := io.Copy(io.Discard, c); err != nil && os.IsTimeout(err) {
			t.Fatalf("connection %d of %d is still open", i, many)
		}
		c.Close()
	}
	g.bounded(t)
}
