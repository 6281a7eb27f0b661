package client

import (
	"net/http"
	"testing"

	"example.com/orderflow/pkg/fault"
)

// Found by a stranger's `GET http://xn--%C3%A9/`: no Host can be made of that name, and each try was a failure of the
// replica that never saw it.
func TestARequestThatCannotBeWrittenIsNobodysFailure(t *testing.T) {
	t.Parallel()
	n := serve(t, status(http.StatusOK))
	c := New(Config{Name: "upstream", URLs: URLs{n.URL}, KeepHost: true})
	for what, spoil := range map[string]func(*http.Request){
		"a host that is none":          func(r *http.Request) { r.Host = "xn--é" },
		"a host with a space":          func(r *http.Request) { r.Host = "shop example" },
		"a header with a line break":   func(r *http.Request) { r.Header.Set("Idempotency-Key", "a\nb") },
		"a header that no name can be": func(r *http.Request) { r.Header["a b"] = []string{"c"} },
	} {
		for range 50 { // a breaker opens long before
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
