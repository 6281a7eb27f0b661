package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of trusted proxies in front of us, such as a load balancer: their X-Forwarded headers count. As
// a setting they are CIDRs or addresses, separated by commas.
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

// ClientIP returns the address that a request comes from: the sender's or, when the sender is a trusted proxy, the last one
// in X-Forwarded-For that is no trusted proxy. Addresses that the client has written there itself stand before it, and do
// not count.
func (p Proxies) ClientIP(r *http.Request) string {
	client, _ := p.way(r)
	return client
}

// way returns the address of the client, and the number of trusted proxies between the client and us.
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
	if proxies == 0 && p.trust(client) { // this proxy does not say for which client it asks
		proxies = 1
	}
	return client, proxies
}

// Secure reports whether the client's own connection uses TLS.
func (p Proxies) Secure(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(p.said(r, "X-Forwarded-Proto"), "https")
}

// Host returns the host by which the client calls us, or "" when it is not known. A proxy that changes a request's Host
// passes on the first one in X-Forwarded-Host.
func (p Proxies) Host(r *http.Request) string {
	if host := p.said(r, "X-Forwarded-Host"); host != "" {
		if _, ok := ParseHost("", host); ok {
			return host
		}
	}
	return r.Host
}

// said returns the value that the outermost trusted proxy has written. A proxy replaces the value that was there, adds to
// it, or leaves it. So the proxies have written at most one value each; values before those were written by the client.
//
// header is in canonical form. Forwarded (RFC 7239) is not read: a proxy that knows only X-Forwarded headers passes on a
// Forwarded header that a client has written.
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

// list reads a header whose value is a list, in one line or in several.
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
