// Package outgoing makes the transports of all HTTP requests that a program sends, and decides which of them may use a
// proxy.
//
// A proxy from the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) is for servers outside. Docker sets one in every
// container when its client is configured so. Such a proxy does not know our programs' names, and should not see what they
// send each other. So net/http's own transport, which would use it, is used nowhere.
package outgoing

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	idleTimeout = time.Minute // shorter than the servers' own, so that the client closes first
	tlsTimeout  = 5 * time.Second
)

// Direct returns a transport without a proxy, whatever the environment says: for our own programs and servers.
func Direct() *http.Transport {
	return &http.Transport{IdleConnTimeout: idleTimeout, TLSHandshakeTimeout: tlsTimeout, ForceAttemptHTTP2: true}
}

// Proxied returns a transport that uses the environment's proxy, if there is one, for hosts outside, and none for ours. It
// is for a token issuer, which may be one of our programs or a server on the internet.
func Proxied() *http.Transport {
	t := Direct()
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if inside(r.URL.Hostname()) {
			return nil, nil //nolint:nilnil // for net/http this means "no proxy"
		}
		return http.ProxyFromEnvironment(r)
	}
	return t
}

// inside reports whether a host can only be one of ours: a name without a dot, as containers and Services have, a name
// below a domain that no public DNS has, or an address that is not routed on the internet.
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
