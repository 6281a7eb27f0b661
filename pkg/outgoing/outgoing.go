// Package outgoing makes the transports of all HTTP requests that a program sends. It decides by which way they go.
//
// A proxy of the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) is for the world outside, and Docker puts one into every
// container when its client is set up so. It does not know our programs' names and has no business with what they tell each
// other. So net/http's own transport, which would ask it, is used nowhere.
package outgoing

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	idleTimeout = time.Minute // shorter than the servers', so that it is the client who closes
	tlsTimeout  = 5 * time.Second
)

// Direct returns a transport that uses no proxy, whatever the environment says: for our programs and servers.
func Direct() *http.Transport {
	return &http.Transport{IdleConnTimeout: idleTimeout, TLSHandshakeTimeout: tlsTimeout, ForceAttemptHTTP2: true}
}

// Proxied returns a transport that reaches what is outside by the proxy of the environment, if there is one: for an issuer of
// tokens, who may be one of us or on the other side of the world.
func Proxied() *http.Transport {
	t := Direct()
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if inside(r.URL.Hostname()) {
			return nil, nil //nolint:nilnil // net/http's word for "no proxy"
		}
		return http.ProxyFromEnvironment(r)
	}
	return t
}

// inside reports whether a host can only be one of ours: a name without a dot, as containers and Services have, one below a domain
// that no public DNS has, or an address that is not routed on the internet.
func inside(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		return true
	}
	for _, domain := range []string{".localhost", ".local", ".internal", ".svc"} {
		if strings.HasSuffix(host, domain) {
			return true
		}
	}
	return false
}
