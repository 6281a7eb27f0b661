package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of those in front of us, such as a load balancer, whose word about the client counts. As a
// setting they are CIDRs or addresses, separated by commas.
type Proxies []netip.Prefix

// UnmarshalText checks each network.
func (p *Proxies) UnmarshalText(text []byte) error {
	*p = nil
	for s := range strings.SplitSeq(string(text), ",") {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			address, err := netip.ParseAddr(s)
			if err != nil {
				return fmt.Errorf("%q is neither an address nor a network like 10.0.0.0/8", s)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

func (p Proxies) trust(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(a.Unmap()) })
}

// ClientIP returns the address that a request comes from: the last in X-Forwarded-For that is no trusted proxy, when all
// after it are. Whatever a client has written there itself stands before that.
func (p Proxies) ClientIP(r *http.Request) string {
	client := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		if _, err := netip.ParseAddr(hop); err != nil || !p.trust(client) {
			break
		}
		client = hop
	}
	return client
}

// Secure reports whether the client's own connection is by TLS.
func (p Proxies) Secure(r *http.Request) bool {
	return r.TLS != nil || p.trust(peer(r)) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
