package chaos

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echo answers each line with itself.
func echo(t *testing.T) (address string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

// caller is connected to an echo through a network.
type caller struct {
	*testing.T
	network *Network
	door    string
	net.Conn
	answers *bufio.Reader
}

func call(t *testing.T) *caller {
	t.Helper()
	n := NewNetwork()
	t.Cleanup(n.Close)
	env, err := n.Amend("orders", []string{"PROVIDER_URL=http://user:p%40ss@" + echo(t) + "/path", "HTTP_ADDR=127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if env[1] != "HTTP_ADDR=127.0.0.1:1" || !strings.HasPrefix(env[0], "PROVIDER_URL=http://user:p%40ss@127.0.0.1:") || !strings.HasSuffix(env[0], "/path") {
		t.Errorf("the settings became %v", env)
	}
	door, err := url.Parse(strings.TrimPrefix(env[0], "PROVIDER_URL="))
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{T: t, network: n, door: door.Host}
	c.dial()
	c.echoes("hello")
	return c
}

func (c *caller) dial() {
	c.Helper()
	conn, err := (&net.Dialer{}).DialContext(c.Context(), "tcp", c.door)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = conn.Close() })
	c.Conn, c.answers = conn, bufio.NewReader(conn)
}

// say sends a line and returns the answer that comes within a time.
func (c *caller) say(line string, within time.Duration) (string, error) {
	if _, err := c.Write([]byte(line + "\n")); err != nil {
		return "", err
	}
	return c.listen(within)
}

func (c *caller) listen(within time.Duration) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	answer, err := c.answers.ReadString('\n')
	return strings.TrimSpace(answer), err
}

func (c *caller) echoes(line string) {
	c.Helper()
	if got, err := c.say(line, 10*time.Second); got != line || err != nil {
		c.Errorf("%s is answered %q, %v", line, got, err)
	}
}

func (c *caller) getsNoAnswerTo(line string) {
	c.Helper()
	if got, err := c.say(line, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.Errorf("%s is answered %q, %v", line, got, err)
	}
}

func (c *caller) breaks(with Kind) {
	c.Helper()
	if err := c.network.Break("orders to provider", with); err != nil {
		c.Fatal(err)
	}
}

func (c *caller) mends() {
	c.Helper()
	if hits, err := c.network.Mend("orders to provider"); hits == 0 || err != nil {
		c.Errorf("%d hits, %v", hits, err)
	}
}

func TestDelayedDataArrivesLate(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{BlackHole, OneWay} {
		c := call(t)
		c.breaks(kind)
		c.getsNoAnswerTo("late")
		c.mends()
		if got, err := c.listen(10 * time.Second); got != "late" || err != nil {
			t.Errorf("%s: then comes %q, %v", kind, got, err)
		}
		c.echoes("well again")
	}
}

func TestLatencyIsOnEachWay(t *testing.T) {
	t.Parallel()
	c := call(t)
	c.breaks(Latency)
	began := time.Now()
	c.echoes("slow")
	if took := time.Since(began); took < 2*latency {
		t.Errorf("it took only %s", took)
	}
	c.mends()
}

func TestAResetEndsAllConnectionsAndEachNewOne(t *testing.T) {
	t.Parallel()
	c := call(t)
	c.breaks(Reset)
	for range 2 {
		if got, err := c.say("hello", 10*time.Second); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("it is answered %q, %v", got, err)
		}
		c.dial()
	}
	c.mends()
	c.dial()
	c.echoes("well again")
}

func TestAHalfOpenConnectionIsNoticedTooLate(t *testing.T) {
	t.Parallel()
	c := call(t)
	c.breaks(HalfOpen)
	c.getsNoAnswerTo("lost")
	c.getsNoAnswerTo("lost, too")
	old := *c
	c.dial()
	c.echoes("a new one is good")
	c.mends()
	if got, err := old.listen(10 * time.Second); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("then comes %q, %v", got, err)
	}
	c.echoes("and stays so")
}

func TestAVanishedHostClosesNoConnection(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	n := NewNetwork()
	t.Cleanup(n.Close)
	door, err := n.lead("orders to provider", "http://"+listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(door, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	far, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	c := &caller{T: t, network: n, Conn: far, answers: bufio.NewReader(far)}
	c.breaks(Vanished)
	reset(near)
	for range 2 { // the host does not see the result of an answer either
		c.getsNoAnswerTo("are you there?")
	}
	c.mends()
	if got, err := c.listen(10 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("then comes %q, %v", got, err)
	}
}

func TestOneEndLearnsThatTheOtherHasEnded(t *testing.T) {
	t.Parallel()
	c := call(t)
	half, ok := c.Conn.(*net.TCPConn)
	if !ok || half.CloseWrite() != nil {
		t.Fatal("no end")
	}
	if got, err := c.listen(10 * time.Second); !errors.Is(err, io.EOF) {
		t.Errorf("it gets %q, %v", got, err)
	}
}

func TestEveryEntryOfSERVICESLeadsThroughTheNetwork(t *testing.T) {
	t.Parallel()
	n := NewNetwork()
	t.Cleanup(n.Close)
	env, err := n.Amend("gateway", []string{"SERVICES=orders=http://127.0.0.1:1,orders=http://127.0.0.1:2,payments=http://127.0.0.1:3"})
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^SERVICES=orders=http://127.0.0.1:\d\d+,orders=http://127.0.0.1:\d\d+,payments=http://127.0.0.1:\d\d+$`)
	if ways := n.from("gateway"); !form.MatchString(env[0]) || !slices.Equal(ways, []string{"gateway to orders", "gateway to payments"}) {
		t.Errorf("%s, and the ways are %v", env[0], ways)
	}
}

func TestTheNetworkHasEveryWayOfAPlan(t *testing.T) {
	t.Parallel()
	n := NewNetwork()
	t.Cleanup(n.Close)
	for _, program := range append(slices.Clone(services), "gateway", "bff-web") {
		var env []string
		for name := range led {
			env = append(env, name+"=http://127.0.0.1:1,http://127.0.0.1:2")
		}
		if program == "gateway" || program == "bff-web" {
			env = append(env, "SERVICES="+strings.Join(services, "=http://127.0.0.1:1,")+"=http://127.0.0.1:1")
		}
		if _, err := n.Amend(program, env); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range links() {
		if err := n.Break(link, Latency); err != nil {
			t.Error(err)
		}
	}
	if err := n.Break("here to nowhere", Reset); err == nil {
		t.Error("any way can be broken")
	}
}
