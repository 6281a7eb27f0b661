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
