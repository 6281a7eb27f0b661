package identity

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"example.com/orderflow/pkg/fault"
)

// net/http reads the environment once in the life of a process, and uses no proxy for this machine's own names. So another
// process asks, for names that do not exist.
func TestAnIssuerOutsideIsAskedThroughTheProxyAndOneInsideIsNot(t *testing.T) {
	t.Parallel()
	const (
		outside = "http://login.example.com/realms/shop"
		inside  = "http://gateway:8080/.well-known/jwks.json"
		kid     = "TEST_KEY_BEHIND_A_PROXY"
	)
	if id := os.Getenv(kid); id != "" {
		log := slog.New(slog.DiscardHandler)
		if key, err := NewOIDCVerifier(outside, "orderflow", log).keys.find(t.Context(), id); key == nil {
			t.Errorf("the issuer outside: %v", err)
		}
		if _, err := NewVerifier(inside, "orderflow", "orderflow", log).keys.find(t.Context(), id); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("the one inside, which is not there: %v", err)
		}
		return
	}
	issuer, err := NewIssuer(make([]byte, 32), "orderflow", "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.String())
		mu.Unlock()
		if r.URL.Path == "/keys" {
			_ = json.NewEncoder(w).Encode(issuer.JWKS())
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": outside, "jwks_uri": "http://login.example.com/keys"})
	}))
	defer proxy.Close()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), kid+"="+issuer.JWKS().Keys[0].KeyID, "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if said, err := child.CombinedOutput(); err != nil {
		t.Errorf("behind the proxy: %v\n%s", err, said)
	}
	want := []string{outside + "/.well-known/openid-configuration", "http://login.example.com/keys"}
	if !slices.Equal(asked, want) {
		t.Errorf("the proxy was asked for %v, not %v", asked, want)
	}
}
