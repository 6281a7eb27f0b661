package client

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameserver is a DNS server that knows one name, replicas.test, and can be changed, silenced and broken.
type nameserver struct {
	address string

	mu        sync.Mutex
	addresses []netip.Addr
	silent    bool
	code      dnsmessage.RCode
	truncate  bool // answers over UDP, so that the resolver has to ask again over TCP
	asked     int  // for A
}

func serveDNS(t *testing.T, addresses ...string) *nameserver {
	t.Helper()
	n := &nameserver{}
	n.set(addresses...)
	var udp net.PacketConn
	var tcp net.Listener
	for tries := 0; tcp == nil; tries++ { // both on one port
		var err error
		if udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err != nil {
			udp.Close()
			if tries > 10 {
				t.Fatal(err)
			}
		}
	}
	n.address = udp.LocalAddr().String()
	t.Cleanup(func() { udp.Close(); tcp.Close() })
	go func() {
		for b := make([]byte, 4096); ; {
			size, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			if answer := n.answer(b[:size], true); answer != nil {
				_, _ = udp.WriteTo(answer, from)
			}
		}
	}()
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				length := make([]byte, 2)
				for {
					if _, err := io.ReadFull(conn, length); err != nil {
						return
					}
					question := make([]byte, binary.BigEndian.Uint16(length))
					if _, err := io.ReadFull(conn, question); err != nil {
						return
					}
					answer := n.answer(question, false)
					_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
				}
			}()
		}
	}()
	return n
}

func (n *nameserver) set(addresses ...string) {
	n.change(func() {
		n.addresses = nil
		for _, a := range addresses {
			n.addresses = append(n.addresses, netip.MustParseAddr(a))
		}
	})
}

func (n *nameserver) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

func (n *nameserver) times() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func (n *nameserver) answer(question []byte, udp bool) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	q := m.Questions[0]
	if q.Type == dnsmessage.TypeA {
		n.asked++
	}
	if n.silent {
		return nil
	}
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true, RCode: n.code}
	m.Additionals = nil
	switch {
	case n.code != dnsmessage.RCodeSuccess:
	case !strings.HasPrefix(q.Name.String(), "replicas.test."):
		m.RCode = dnsmessage.RCodeNameError
	case udp && n.truncate:
		m.Truncated = true
	default:
		for _, a := range n.addresses {
			h := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 60}
			switch {
			case a.Is4() && q.Type == dnsmessage.TypeA:
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
			case a.Is6() && q.Type == dnsmessage.TypeAAAA:
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
			}
		}
	}
	packed, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

func TestALookupFindsAllAddressesOnce(t *testing.T) {
	t.Parallel()
	n := serveDNS(t, "127.0.0.3", "127.0.0.2", "127.0.0.3", "::1")
	for name, truncate := range map[string]bool{"UDP": false, "TCP, when the answer is too long": true} {
		n.change(func() { n.truncate = truncate })
		addresses, err := lookup(t.Context(), resolver(n.address), "replicas.test")
		if got := fmt.Sprint(addresses); err != nil || got != "[127.0.0.2 127.0.0.3 ::1]" {
			t.Errorf("%s: %s, error %v", name, got, err)
		}
	}
	if _, err := lookup(t.Context(), resolver(n.address), "nobody.test"); err == nil {
		t.Error("a name that does not exist is found")
	}
	if _, err := lookup(t.Context(), resolver("127.0.0.1:1"), "replicas.test"); err == nil {
		t.Error("no server, and yet an answer")
	}
}

func TestOnlyNamesAreLookedUp(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"orders": true, "orders.shop.svc.cluster.local": true, "localhost": false, "a.localhost": false, "127.0.0.1": false, "::1": false,
	} {
		if isName(host) != want {
			t.Errorf("%s is a name: %t", host, !want)
		}
	}
}
