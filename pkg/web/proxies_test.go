package web_test

import (
	"net/http"
	"testing"

	"example.com/orderflow/pkg/web"
)

func TestOnlyATrustedProxyIsBelievedAboutTheClient(t *testing.T) {
	t.Parallel()
	var trusted web.Proxies
	if err := trusted.UnmarshalText([]byte("10.0.0.0/8, fd00::/8,192.0.2.7")); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		proxies web.Proxies
		peer    string
		via     []string
		proto   string
		client  string
		secure  bool
	}{
		"no proxies are known":         {nil, "10.0.0.1:1", []string{"203.0.113.9"}, "https", "10.0.0.1", false},
		"the peer is no proxy":         {trusted, "198.51.100.1:1", []string{"203.0.113.9"}, "https", "198.51.100.1", false},
		"one proxy":                    {trusted, "10.0.0.1:1", []string{"203.0.113.9"}, "https", "203.0.113.9", true},
		"one proxy, plain":             {trusted, "10.0.0.1:1", []string{"203.0.113.9"}, "http", "203.0.113.9", false},
		"a proxy behind a proxy":       {trusted, "192.0.2.7:1", []string{"203.0.113.9, 10.1.1.1"}, "", "203.0.113.9", false},
		"two headers":                  {trusted, "10.0.0.1:1", []string{"1.1.1.1", "203.0.113.9"}, "", "203.0.113.9", false},
		"the client wrote one himself": {trusted, "10.0.0.1:1", []string{"10.9.9.9, 203.0.113.9"}, "", "203.0.113.9", false},
		"nonsense":                     {trusted, "10.0.0.1:1", []string{"1.1.1.1, <script>"}, "", "10.0.0.1", false},
		"nothing":                      {trusted, "10.0.0.1:1", nil, "", "10.0.0.1", false},
		"IPv6":                         {trusted, "[fd00::1]:1", []string{"2001:db8::1"}, "HTTPS", "2001:db8::1", true},
		"IPv4 as IPv6":                 {trusted, "[::ffff:10.0.0.1]:1", []string{"203.0.113.9"}, "", "203.0.113.9", false},
	} {
		r := &http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-For": test.via, "X-Forwarded-Proto": {test.proto}}}
		if got := test.proxies.ClientIP(r); got != test.client {
			t.Errorf("%s: the client is %s", name, got)
		}
		if got := test.proxies.Secure(r); got != test.secure {
			t.Errorf("%s: secure: %t", name, got)
		}
	}
	for _, wrong := range []string{"10.0.0.0/33", "localhost", "10.0.0"} {
		if err := new(web.Proxies).UnmarshalText([]byte(wrong)); err == nil {
			t.Errorf("%s is a network", wrong)
		}
	}
}

func TestOnlyTheOutermostTrustedProxyIsBelievedAboutTheHost(t *testing.T) {
	t.Parallel()
	var trusted web.Proxies
	if err := trusted.UnmarshalText([]byte("10.0.0.0/8")); err != nil {
		t.Fatal(err)
	}
	const client, inner = "203.0.113.9", "203.0.113.9, 10.0.0.1"
	for name, test := range map[string]struct {
		peer   string
		via    string
		hosts  []string
		protos []string
		host   string
		secure bool
	}{
		"one proxy":                 {"10.0.0.1:1", client, []string{"shop.example"}, []string{"https"}, "shop.example", true},
		"one that tells no address": {"10.0.0.1:1", "", []string{"shop.example"}, []string{"https"}, "shop.example", true},
		"one that keeps the host":   {"10.0.0.1:1", client, nil, nil, "gateway:8080", false},
		"a port":                    {"10.0.0.1:1", client, []string{"Shop.Example:8443"}, []string{"HTTPS"}, "Shop.Example:8443", true},
		"IPv6":                      {"10.0.0.1:1", client, []string{"[2001:db8::1]:8080"}, []string{"http"}, "[2001:db8::1]:8080", false},
		"nobody trusted":            {"198.51.100.1:1", client, []string{"shop.example"}, []string{"https"}, "gateway:8080", false},
		"the client wrote one, the proxy another":  {"10.0.0.1:1", client, []string{"evil.example, shop.example"}, []string{"https, http"}, "shop.example", false},
		"the same in two lines":                    {"10.0.0.1:1", client, []string{"evil.example", "shop.example"}, []string{"http", "https"}, "shop.example", true},
		"two proxies, each adds one":               {"10.0.0.2:1", inner, []string{"shop.example, inner.example"}, []string{"https,http"}, "shop.example", true},
		"two proxies, and the client wrote one":    {"10.0.0.2:1", inner, []string{"evil.example, shop.example, inner.example"}, []string{"http, https, http"}, "shop.example", true},
		"two proxies, the outer one's is kept":     {"10.0.0.2:1", inner, []string{"shop.example"}, []string{"https"}, "shop.example", true},
		"nonsense":                                 {"10.0.0.1:1", client, []string{"shop.example/path"}, []string{"httpss"}, "gateway:8080", false},
		"a name with what ends a header or cookie": {"10.0.0.1:1", client, []string{"shop.example;x"}, []string{"https;"}, "gateway:8080", false},
		"nothing in it":                            {"10.0.0.1:1", client, []string{""}, []string{""}, "gateway:8080", false},
	} {
		r := &http.Request{Host: "gateway:8080", RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-Host": test.hosts, "X-Forwarded-Proto": test.protos}}
		if test.via != "" {
			r.Header.Set("X-Forwarded-For", test.via)
		}
		r.Header.Set("Forwarded", "for=192.0.2.60;proto=https;host=evil.example")
		if got := trusted.Host(r); got != test.host {
			t.Errorf("%s: the host is %s", name, got)
		}
		if got := trusted.Secure(r); got != test.secure {
			t.Errorf("%s: secure: %t", name, got)
		}
	}
}
