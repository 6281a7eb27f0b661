package outgoing_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"testing"

	"example.com/orderflow/pkg/outgoing"
)

// net/http reads the environment once in the life of a process, so it is set before the first request.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"HTTP_PROXY": "http://proxy.example:3128", "HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "login.example.org"} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// asked returns the address that a transport dials for a URL.
func asked(t *testing.T, transport *http.Transport, url string) (where string) {
	t.Helper()
	transport.DialContext = func(_ context.Context, _, address string) (net.Conn, error) {
		where = address
		return nil, errors.New("seen enough")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := transport.RoundTrip(r); err == nil {
		_ = answer.Body.Close()
		t.Error("an answer from nobody")
	}
	return where
}

func TestOnlyRequestsToTheOutsideGoThroughTheProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	const proxy = "proxy.example:3128"
	for url, byProxy := range map[string]string{
		"https://login.example.com/realms/shop":       proxy,
		"http://login.example.com/keys":               proxy,
		"http://login.svc.example.com/":               proxy,
		"https://8.8.8.8/":                            proxy,
		"https://login.example.org/":                  "login.example.org:443", // NO_PROXY names it
		"http://gateway:8080/.well-known/jwks.json":   "gateway:8080",
		"http://gateway./":                            "gateway.:80",
		"http://GATEWAY.orderflow.SVC:8080/":          "GATEWAY.orderflow.SVC:8080",
		"http://gateway.orderflow.svc.cluster.local/": "gateway.orderflow.svc.cluster.local:80",
		"http://host.docker.internal:8080/":           "host.docker.internal:8080",
		"http://10.1.2.3:8080/":                       "10.1.2.3:8080",
		"http://172.17.0.1/":                          "172.17.0.1:80",
		"http://[fd00::1]:8080/":                      "[fd00::1]:8080",
		"http://127.0.0.1:8080/":                      "127.0.0.1:8080",
	} {
		if got := asked(t, outgoing.Proxied(), url); got != byProxy {
			t.Errorf("%s: asked %s, not %s", url, got, byProxy)
		}
		if got := asked(t, outgoing.Direct(), url); got == proxy || got == "" {
			t.Errorf("%s, directly: asked %q", url, got)
		}
	}
}
