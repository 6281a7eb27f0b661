package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
	"golang.org/x/net/dns/dnsmessage"
)

// host is a server at one of several addresses with the same port.
type host struct {
	*httptest.Server
	address  string
	requests atomic.Int32
	name     atomic.Value // in the latest request
}

// serveAt starts a server at each address.
func serveAt(t *testing.T, answer http.HandlerFunc, addresses ...string) (port string, hosts map[string]*host) {
	t.Helper()
	for range 20 {
		port, hosts = "0", map[string]*host{}
		for _, address := range addresses {
			listener, err := net.Listen("tcp", net.JoinHostPort(address, port))
			if err != nil {
				break // the port is taken there
			}
			_, port, _ = net.SplitHostPort(listener.Addr().String())
			h := &host{address: address}
			h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.requests.Add(1)
				h.name.Store(r.Host)
				answer(w, r)
			}))
			h.Listener.Close()
			h.Listener = listener
			h.Start()
			t.Cleanup(h.Close)
			hosts[address] = h
		}
		if len(hosts) == len(addresses) {
			return port, hosts
		}
	}
	t.Fatalf("no port is free at %v", addresses)
	return "", nil
}

func named(n *nameserver, port string, more Config) *Client {
	more.Name, more.URLs, more.DNSServer = "upstream", URLs{"http://replicas.test:" + port}, n.address
	return New(more)
}

func get(t *testing.T, c *Client) {
	t.Helper()
	if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 200 {
		t.Fatalf("status %d, error %v", got, err)
	}
}

func TestANameStandsForAllAddressesBehindIt(t *testing.T) {
	t.Parallel()
	port, hosts := serveAt(t, status(200), "127.0.0.1", "127.0.0.2", "127.0.0.3")
	c := named(serveDNS(t, "127.0.0.1", "127.0.0.2", "127.0.0.3"), port, Config{})
	for range 30 {
		get(t, c)
	}
	for address, h := range hosts {
		if got := h.requests.Load(); got != 10 {
			t.Errorf("%s got %d requests", address, got)
		}
		if got := h.name.Load(); got != "replicas.test:"+port {
			t.Errorf("%s was asked as %s", address, got)
		}
	}
}

func TestAReplicaThatComesIsUsedAndOneThatLeavesIsDrained(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	port, hosts := serveAt(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			<-release
		}
		w.WriteHeader(http.StatusOK)
	}, "127.0.0.1", "127.0.0.2")
	n := serveDNS(t, "127.0.0.1")
	c := named(n, port, Config{DNSPeriod: 20 * time.Millisecond, Timeout: 5 * time.Second})
	var held sync.WaitGroup
	held.Go(func() {
		if got, _, err := outcome(t, c, request(t, "PUT", "x", "")); got != 200 {
			t.Errorf("in hand when its replica left: status %d, error %v", got, err)
		}
	})
	until(t, "the request in hand has arrived", func() bool { return hosts["127.0.0.1"].requests.Load() == 1 })

	n.set("127.0.0.1", "127.0.0.2")
	until(t, "the new replica is used", func() bool { get(t, c); return hosts["127.0.0.2"].requests.Load() > 0 })
	n.set("127.0.0.2")
	until(t, "the old one has left", func() bool { get(t, c); return len(c.replicas.known()) == 1 })
	before := hosts["127.0.0.1"].requests.Load()
	for range 10 {
		get(t, c)
	}
	if after := hosts["127.0.0.1"].requests.Load(); after != before {
		t.Errorf("%d requests to a replica that DNS no longer names", after-before)
	}
	close(release)
	held.Wait()
}

func TestADeadReplicaIsEjectedAndTriedAgainLater(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	port, hosts := serveAt(t, func(w http.ResponseWriter, r *http.Request) {
		if at := r.Context().Value(http.LocalAddrContextKey).(net.Addr); broken.Load() && strings.HasPrefix(at.String(), "127.0.0.2:") {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusOK)
	}, "127.0.0.1", "127.0.0.2")
	// Nothing listens at 127.0.0.3.
	c := named(serveDNS(t, "127.0.0.1", "127.0.0.2", "127.0.0.3"), port, Config{BreakerDelay: 300 * time.Millisecond})
	for range 60 {
		get(t, c)
	}
	ejected := 0
	for _, r := range c.replicas.known() {
		if !r.breaker.IsClosed() {
			ejected++
		}
	}
	if ejected != 2 {
		t.Errorf("%d replicas are ejected", ejected)
	}
	broken.Store(false)
	before := hosts["127.0.0.2"].requests.Load()
	until(t, "the one that is well again gets its share", func() bool { get(t, c); return hosts["127.0.0.2"].requests.Load() > before+10 })
}

func TestASlowReplicaGetsLessToDo(t *testing.T) {
	t.Parallel()
	port, hosts := serveAt(t, func(w http.ResponseWriter, r *http.Request) {
		wait := time.Millisecond
		if at := r.Context().Value(http.LocalAddrContextKey).(net.Addr); strings.HasPrefix(at.String(), "127.0.0.3:") {
			wait = 200 * time.Millisecond
		}
		time.Sleep(wait) // the slow replica waits longer
	}, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	c := named(serveDNS(t, "127.0.0.1", "127.0.0.2", "127.0.0.3"), port, Config{})
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 50 {
				if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 200 {
					t.Errorf("status %d, error %v", got, err)
				}
			}
		})
	}
	callers.Wait()
	if got := hosts["127.0.0.3"].requests.Load(); got > 80 { // 133 if they took turns
		t.Errorf("the slow replica got %d of 400 requests", got)
	}
}

func TestAStreamThatIsOpenCountsAsWork(t *testing.T) {
	t.Parallel()
	port, hosts := serveAt(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, "127.0.0.1", "127.0.0.2")
	c := named(serveDNS(t, "127.0.0.1", "127.0.0.2"), port, Config{})
	var streams []*http.Response
	for range 20 {
		answer, err := c.Do(request(t, "GET", "", ""))
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, answer)
	}
	if a, b := hosts["127.0.0.1"].requests.Load(), hosts["127.0.0.2"].requests.Load(); a != 10 || b != 10 {
		t.Errorf("%d and %d streams", a, b)
	}
	for _, s := range streams {
		s.Body.Close()
		s.Body.Close()
	}
	for _, r := range c.replicas.known() {
		if r.busy.Load() != 0 {
			t.Errorf("%s has %d answers open", r.name(), r.busy.Load())
		}
	}
}

func TestANameIsLookedUpAgainAfterAPeriod(t *testing.T) {
	t.Parallel()
	port, hosts := serveAt(t, status(200), "127.0.0.1", "127.0.0.2")
	n := serveDNS(t, "127.0.0.1")
	c := named(n, port, Config{DNSPeriod: 50 * time.Millisecond})
	get(t, c)
	n.set("127.0.0.2")
	until(t, "the change is seen", func() bool { get(t, c); return hosts["127.0.0.2"].requests.Load() > 0 })
	c = named(n, port, Config{DNSPeriod: time.Hour})
	asked := n.times()
	for range 20 {
		get(t, c)
	}
	if got := n.times() - asked; got != 1 {
		t.Errorf("%d lookups within the period", got)
	}
}

func TestTheLastGoodAnswerIsKeptWhenDNSIsAway(t *testing.T) {
	t.Parallel()
	port, _ := serveAt(t, status(200), "127.0.0.1")
	n := serveDNS(t, "127.0.0.1")
	c := named(n, port, Config{DNSPeriod: 10 * time.Millisecond})
	get(t, c)
	for _, code := range []dnsmessage.RCode{dnsmessage.RCodeServerFailure, dnsmessage.RCodeNameError} {
		n.change(func() { n.code = code })
		asked := n.times()
		until(t, "DNS has answered "+code.String(), func() bool { get(t, c); return n.times() > asked+2 })
	}
	n.change(func() { n.code, n.silent = dnsmessage.RCodeSuccess, true })
	asked := n.times()
	until(t, "DNS has been silent", func() bool { get(t, c); return n.times() > asked })
	begun := time.Now()
	get(t, c)
	if took := time.Since(begun); took > dnsWait+3*time.Second {
		t.Errorf("a call took %s", took)
	}
}

func TestACallAfterALongRestWaitsForALookup(t *testing.T) {
	t.Parallel()
	port, hosts := serveAt(t, status(200), "127.0.0.1", "127.0.0.2")
	n := serveDNS(t, "127.0.0.1")
	c := named(n, port, Config{DNSPeriod: time.Minute})
	get(t, c)
	n.set("127.0.0.2")
	p := c.replicas.places[0]
	p.mu.Lock()
	p.due = p.due.Add(-3 * time.Minute)
	p.mu.Unlock()
	get(t, c)
	if got := hosts["127.0.0.2"].requests.Load(); got != 1 {
		t.Error("the call went to where the upstream was before")
	}
}

func TestANameThatIsNotKnownIsUnavailable(t *testing.T) {
	t.Parallel()
	n := serveDNS(t, "127.0.0.1")
	c := New(Config{Name: "upstream", URLs: URLs{"http://nobody.test"}, DNSServer: n.address})
	for range 2 { // the second does not ask again
		begun := time.Now()
		_, _, err := outcome(t, c, request(t, "POST", "x", ""))
		wantKind(t, err, fault.Unavailable)
		if Ambiguous(err) || time.Since(begun) > 4*time.Second {
			t.Errorf("ambiguous: %t, after %s", Ambiguous(err), time.Since(begun))
		}
	}
	n.change(func() { n.silent = true })
	c = New(Config{Name: "upstream", URLs: URLs{"http://nobody.test"}, DNSServer: n.address})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := outcome(t, c, requestIn(ctx, "GET", "", "")); err == nil {
		t.Error("no error")
	}
}

func TestManyCallersAtOnceLookUpOnce(t *testing.T) {
	t.Parallel()
	port, _ := serveAt(t, status(200), "127.0.0.1")
	n := serveDNS(t, "127.0.0.1")
	c := named(n, port, Config{})
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			if got, _, err := outcome(t, c, request(t, "GET", "", "")); got != 200 {
				t.Errorf("status %d, error %v", got, err)
			}
		})
	}
	callers.Wait()
	if n.times() != 1 {
		t.Error(fmt.Sprint(n.times()) + " lookups")
	}
}
