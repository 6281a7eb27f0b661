package client

import (
	"net/http"
	"testing"

	"example.com/orderflow/pkg/fault"
)

// Found by a request `GET http://xn--%C3%A9/`: no Host can be made of that name, and each attempt was counted as a failure
// of the replica, which never saw it.
func TestARequestThatCannotBeWrittenIsNoFailureOfAReplica(t *testing.T) {
	t.Parallel()
	n := serve(t, status(http.StatusOK))
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, KeepHost: true})
	for what, spoil := range map[string]func(*http.Request){
		"a host that is none":          func(r *http.Request) { r.Host = "xn--é" },
		"a host with a space":          func(r *http.Request) { r.Host = "shop example" },
		"a header with a line break":   func(r *http.Request) { r.Header.Set("Idempotency-Key", "a\nb") },
		"a header that no name can be": func(r *http.Request) { r.Header["a b"] = []string{"c"} },
	} {
		for range 50 { // more than open a breaker
			r := request(t, http.MethodPost, "", "")
			spoil(r)
			_, _, err := outcome(t, c, r)
			wantKind(t, err, fault.Malformed)
		}
		if code, _, err := outcome(t, c, request(t, http.MethodGet, "", "")); code != http.StatusOK {
			t.Fatalf("after %s others get %d, %v", what, code, err)
		}
	}
	if n.requests() != 4 {
		t.Errorf("the upstream was asked %d times", n.requests())
	}
}
