package client

import (
	"context"
	"encoding/binary"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// resolver is the address of a DNS server; empty: those of /etc/resolv.conf.
type resolver string

// lookup returns all addresses of a host, and how long they hold. Go's own resolver asks, so that search domains, ndots,
// several servers, TCP and /etc/hosts work as usual. It does not tell the TTL, so lookup reads the TTL from the servers'
// messages as they pass (docs/adr/0023). A name in /etc/hosts has none and holds for ever.
func (s resolver) lookup(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	var least ttl
	least.Store(math.MaxUint32)
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, server string) (net.Conn, error) {
		if s != "" {
			server = string(s)
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, server)
		if err != nil {
			return nil, err
		}
		if udp, ok := conn.(*net.UDPConn); ok {
			return packets{udp, &least}, nil
		}
		return &stream{Conn: conn, ttl: &least}, nil
	}}
	found, err := r.LookupNetIP(ctx, "ip", host)
	addresses := make([]netip.Addr, 0, len(found))
	for _, a := range found {
		if a = a.Unmap(); !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	return addresses, time.Duration(least.Load()) * time.Second, err
}

// ttl is the lowest TTL, in seconds, of all records in DNS's answers.
type ttl struct{ atomic.Uint32 }

// read notes the TTLs of a message. It leaves a message that it cannot read to the resolver, which returns an error.
func (t *ttl) read(message []byte) {
	var p dnsmessage.Parser
	if _, err := p.Start(message); err != nil || p.SkipAllQuestions() != nil {
		return
	}
	for {
		h, err := p.AnswerHeader()
		if err != nil || p.SkipAnswer() != nil {
			return
		}
		for {
			if least := t.Load(); least <= h.TTL || t.CompareAndSwap(least, h.TTL) {
				break
			}
		}
	}
}

// packets is a connection on which each read is one message. It stays a net.PacketConn, which the resolver looks for.
type packets struct {
	*net.UDPConn
	ttl *ttl
}

func (c packets) Read(b []byte) (int, error) {
	n, err := c.UDPConn.Read(b)
	c.ttl.read(b[:max(n, 0)])
	return n, err
}

// stream is a connection on which each message follows its length.
type stream struct {
	net.Conn
	ttl *ttl
	got []byte
}

func (c *stream) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.got = append(c.got, b[:max(n, 0)]...)
	for len(c.got) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(c.got))
		if len(c.got) < end {
			break
		}
		c.ttl.read(c.got[2:end])
		c.got = c.got[end:]
	}
	return n, err
}
