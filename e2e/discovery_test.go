package e2e

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/system"
	"golang.org/x/net/dns/dnsmessage"
)

// The gateway finds orders by a DNS name. Replicas come and go, fail and become slow, and callers notice nothing.
func TestTheGatewayFindsReplicasByDNSAndDoesWithoutABadOne(t *testing.T) {
	t.Parallel()
	fronts := newFronts(t, "127.0.1.1", "127.0.1.2", "127.0.1.3")
	one, two, three := fronts[0], fronts[1], fronts[2]
	dns := serveDNS(t, one, two)
	s := start(t, system.Each(1), map[string][]string{
		"":        settings["orders"],
		"gateway": {"UPSTREAM_DNS_SERVER=" + dns.address, "UPSTREAM_DNS_PERIOD=1s"},
	}, func(o *system.Options) {
		direct := regexp.MustCompile(`\borders=http://[^,]+`) // in SERVICES
		o.Amend = func(program string, env []string) ([]string, error) {
			for i := range env {
				if program == "gateway" {
					env[i] = direct.ReplaceAllString(env[i], "orders=http://orders.test:"+one.port)
				}
			}
			return env, nil
		}
	})
	behind, err := url.Parse(s.Program("orders", 1).URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fronts {
		f.to.Store(behind)
	}
	c := stories.New(t, world(s))
	if _, err := c.As("alice").Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	// ask sends n requests, eight at a time, and returns how many of them each replica got.
	ask := func(n int) (had [3]int64) {
		var before [3]int64
		for i, f := range fronts {
			before[i] = f.had.Load()
		}
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range n / 8 {
					if a, err := c.Call("alice", http.MethodGet, "/api/orders", ""); err != nil || a.Status != http.StatusOK {
						t.Errorf("a caller notices: %v %d %s", err, a.Status, a.Body)
					}
				}
			})
		}
		callers.Wait()
		for i, f := range fronts {
			had[i] = f.had.Load() - before[i]
		}
		return had
	}
	// show is ask, and tells what came of it: docs/patterns.md prints this.
	show := func(what string, n int) [3]int64 {
		had := ask(n)
		t.Logf("%s: the three had %v of %d requests", what, had, n)
		return had
	}

	if had := show("DNS has the first and the second", 80); had[0] < 8 || had[1] < 8 || had[2] != 0 {
		t.Errorf("two replicas of three are known, and had %v of 80 requests", had)
	}
	dns.set(one, two, three)
	stories.Until(t, "the third is found", func() bool { return ask(8)[2] > 0 })
	dns.set(one, three)
	stories.Until(t, "the second is left alone", func() bool { return ask(24)[1] == 0 })
	if had := show("the third was added, the second removed", 80); had[0] < 8 || had[1] != 0 || had[2] < 8 {
		t.Errorf("the first and the third are known, and had %v of 80 requests", had)
	}
	three.slow.Store(int64(200 * time.Millisecond))
	if had := show("the third is slow", 160); had[0] < 2*had[2] {
		t.Errorf("the third is slow, and had %v of 160 requests", had)
	}
	three.slow.Store(0)
	one.die()
	ask(80) // every request must be answered
	if had := show("the first is dead", 80); had[0] != 0 || had[2] < 80 {
		t.Errorf("the first is dead, and had %v of 80 requests", had)
	}
	dns.silence.Store(true)
	time.Sleep(2 * time.Second) // longer than UPSTREAM_DNS_PERIOD
	if had := show("DNS is silent", 40); had[2] < 40 {
		t.Errorf("DNS is silent, and the last addresses had %v of 40 requests", had)
	}

	// A replica that always fails costs only the retry budget: requests are not retried again and again.
	dns.silence.Store(false)
	dns.set(two)
	stories.Until(t, "only the second is known", func() bool { return ask(8)[1] == 8 })
	two.fail.Store(true)
	before := two.had.Load()
	const calls, perSecond = 600, 200
	var callers sync.WaitGroup
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	for range calls {
		<-tick.C
		callers.Go(func() {
			a, err := c.Call("alice", http.MethodGet, "/api/orders", "")
			if err != nil || a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Errorf("orders cannot be had, and a caller gets %v %d %v", err, a.Status, a.Header)
			}
		})
	}
	callers.Wait()
	if n := two.had.Load() - before; n > calls/2 {
		t.Errorf("%d requests in 3 s cost the failing replica %d attempts: that is a storm", calls, n)
	} else {
		t.Logf("%d requests in 3 s cost the failing replica %d attempts", calls, n)
	}
}

// front is a proxy to orders that looks like a replica of its own.
type front struct {
	netip.Addr
	port string
	had  atomic.Int64
	slow atomic.Int64 // delay before each answer, in ns
	fail atomic.Bool
	to   atomic.Pointer[url.URL]
	die  func()
}

// newFronts makes a front at each address, all on one port.
func newFronts(t *testing.T, addresses ...string) (all []*front) {
	t.Helper()
	port := "0"
	for _, address := range addresses {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, port))
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(listener.Addr().String())
		f := &front{Addr: netip.MustParseAddr(address), port: port}
		proxy := httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(f.to.Load()) }}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.had.Add(1)
			time.Sleep(time.Duration(f.slow.Load()))
			if f.fail.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			proxy.ServeHTTP(w, r)
		}))
		server.Listener = listener
		server.Start()
		f.die = server.Close
		t.Cleanup(server.Close)
		all = append(all, f)
	}
	return all
}

// nameserver answers for one name, orders.test.
type nameserver struct {
	address string
	silence atomic.Bool

	mu    sync.Mutex
	known []*front
}

func (n *nameserver) set(fronts ...*front) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known = fronts
}

func serveDNS(t *testing.T, fronts ...*front) *nameserver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	n := &nameserver{address: conn.LocalAddr().String()}
	n.set(fronts...)
	go func() {
		for b := make([]byte, 1500); ; {
			size, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if answer := n.answer(b[:size]); answer != nil && !n.silence.Load() {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return n
}

func (n *nameserver) answer(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	q := m.Questions[0]
	if !strings.EqualFold(q.Name.String(), "orders.test.") {
		m.RCode = dnsmessage.RCodeNameError
	} else if q.Type == dnsmessage.TypeA {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, f := range n.known {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
				Body:   &dnsmessage.AResource{A: f.As4()},
			})
		}
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}
