package web

import (
	"net/netip"
	"strconv"
	"strings"
)

// Host is the name and the port by which a client calls us, in a form that can be compared.
type Host struct {
	Name string // in lower case; an IPv6 address has no brackets
	Port string // the scheme's default when none was given
}

// ParseHost reads the value of a Host header, or of another header that replaces it. ok is false when it is not valid: such
// a value must get into no link, no cookie and no log.
func ParseHost(scheme, text string) (h Host, ok bool) {
	name, port, _ := strings.Cut(text, ":")
	if inner, found := strings.CutPrefix(text, "["); found {
		var rest string
		name, rest, found = strings.Cut(inner, "]")
		a, err := netip.ParseAddr(name)
		if err != nil || !found || !a.Is6() || a.Zone() != "" || rest != "" && rest[0] != ':' {
			return Host{}, false
		}
		name, port = a.String(), strings.TrimPrefix(rest, ":")
	} else if len(name) > 253 || name == "" || strings.ContainsFunc(name, noHostRune) {
		return Host{}, false
	}
	if port == "" { // it may be empty after a colon, too (RFC 3986, 3.2.3)
		port = map[string]string{"https": "443"}[scheme]
		if port == "" {
			port = "80"
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Host{}, false
	}
	return Host{strings.ToLower(name), strconv.FormatUint(n, 10)}, true
}

func noHostRune(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}
