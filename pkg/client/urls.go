package client

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// URLs are the addresses of an upstream. As a setting they are separated by commas. A host that is an IP address or
// localhost is one replica; any other name stands for all addresses that DNS has for it.
type URLs []string

// UnmarshalText checks each URL.
func (u *URLs) UnmarshalText(text []byte) error {
	*u = nil
	for s := range strings.SplitSeq(string(text), ",") {
		s = strings.TrimSpace(s)
		if _, err := parseBase(s); err != nil {
			return err
		}
		*u = append(*u, s)
	}
	return nil
}

// Directory has the URLs of several upstreams, by name. As a setting it is a list of name=URL, separated by commas; an upstream with
// several URLs has several entries.
type Directory map[string]URLs

// UnmarshalText checks each entry.
func (d *Directory) UnmarshalText(text []byte) error {
	*d = Directory{}
	for entry := range strings.SplitSeq(string(text), ",") {
		name, s, ok := strings.Cut(strings.TrimSpace(entry), "=")
		if !ok || name == "" {
			return fmt.Errorf("%q is not like name=http://host:8080", entry)
		}
		if _, err := parseBase(s); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		(*d)[name] = append((*d)[name], s)
	}
	return nil
}

func parseBase(s string) (*url.URL, error) {
	base, err := url.Parse(s)
	if err != nil {
		return nil, err
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("%q is not like http://host:8080/path", s)
	}
	return base, nil
}

// isName reports whether DNS has to be asked for a host.
func isName(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && host != "localhost" && !strings.HasSuffix(host, ".localhost")
}

func portOf(base *url.URL) string {
	switch {
	case base.Port() != "":
		return base.Port()
	case base.Scheme == "https":
		return "443"
	}
	return "80"
}
