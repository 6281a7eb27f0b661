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
	client, _ := p.way(r)
	return client
}

// way is the way that a request has come: the address of its client, and how many trusted proxies there are behind it.
func (p Proxies) way(r *http.Request) (client string, proxies int) {
	client = peer(r)
	if len(p) == 0 {
		return client, 0
	}
	for _, hop := range slices.Backward(list(r, "X-Forwarded-For")) {
		if _, err := netip.ParseAddr(hop); err != nil || !p.trust(client) {
			break
		}
		client = hop
		proxies++
	}
	if proxies == 0 && p.trust(client) { // it does not tell for whom it asks
		proxies = 1
	}
	return client, proxies
}

// Secure reports whether the client's own connection is by TLS.
func (p Proxies) Secure(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(p.said(r, "X-Forwarded-Proto"), "https")
}

// Host is how the client calls us, or "" when it does not say. A proxy that gives a request another Host tells the first
// one in X-Forwarded-Host.
func (p Proxies) Host(r *http.Request) string {
	if host := p.said(r, "X-Forwarded-Host"); host != "" {
		if _, ok := ParseHost("", host); ok {
			return host
		}
	}
	return r.Host
}

// said is what the outermost trusted proxy has said. A proxy replaces what was there, or adds to it, or leaves it as it is:
// there are at most as many values of theirs as there are proxies, and whatever stands before was the client's.
//
// The header's name is in canonical form. Forwarded (RFC 7239) is not read: a proxy that knows only the one passes on what a client has written into the other.
func (p Proxies) said(r *http.Request, header string) string {
	if r.Header[header] == nil {
		return ""
	}
	values := list(r, header)
	if _, proxies := p.way(r); proxies > 0 && len(values) > 0 {
		return values[max(0, len(values)-proxies)]
	}
	return ""
}

// list reads a header that is a list, be it in one line or in several.
func list(r *http.Request, header string) (values []string) {
	for value := range strings.SplitSeq(strings.Join(r.Header.Values(header), ","), ",") {
		values = append(values, strings.TrimSpace(value))
	}
	return values
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
