package client

import (
	"context"
	"net"
	"net/netip"
	"slices"
)

// resolver returns the resolver that asks a DNS server, `host:port`; empty: the machine's own, with its search domains, ndots,
// servers and /etc/hosts.
func resolver(server string) *net.Resolver {
	if server == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}}
}

// lookup returns all addresses of a host, each once.
func lookup(ctx context.Context, r *net.Resolver, host string) ([]netip.Addr, error) {
	found, err := r.LookupNetIP(ctx, "ip", host)
	for i, a := range found {
		found[i] = a.Unmap()
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return slices.Compact(found), err
}
