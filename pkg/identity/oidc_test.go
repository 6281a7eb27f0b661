package identity

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
	"github.com/golang-jwt/jwt/v5"
)

// The tests in e2e have a real provider. This one misbehaves.
func TestOnlyAGoodDiscoveryIsTrusted(t *testing.T) {
	t.Parallel()
	var issuer *Issuer
	var away atomic.Bool
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	discovery := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if away.Load() {
				http.Error(w, "away", http.StatusServiceUnavailable)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": name, "jwks_uri": server.URL + "/keys"})
		}
	}
	mux.HandleFunc("/.well-known/openid-configuration", discovery(server.URL))
	mux.HandleFunc("/other/.well-known/openid-configuration", discovery("https://somebody.example"))
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(issuer.JWKS()) })
	issuer, err := NewIssuer(make([]byte, 32), server.URL, "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	token, err := issuer.Token("alice", []string{"orders"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}

	good := Trust{OIDCIssuer: server.URL, JWKSURL: "http://127.0.0.1:1", TokenIssuer: "orderflow", TokenAudience: "orderflow"}.Verifier(slog.New(slog.DiscardHandler))
	begin, later := time.Now(), atomic.Int64{}
	good.keys.(*remoteKeys).now = func() time.Time { return begin.Add(time.Duration(later.Load())) }
	away.Store(true)
	if _, err := good.Verify(t.Context(), token); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the provider is away: %v", err)
	}
	away.Store(false)
	later.Store(int64(startingEvery))
	if caller, err := good.Verify(t.Context(), token); err != nil || caller.ID != "alice" {
		t.Errorf("%+v, error %v", caller, err)
	}
	liar := NewOIDCVerifier(server.URL+"/other", "orderflow", slog.New(slog.DiscardHandler))
	if _, err := liar.Verify(t.Context(), token); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the provider calls itself by another name: %v", err)
	}
}

func TestScopesComeInTheFormsThatProvidersKnow(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`{"scope":"orders operations"}`:     {"orders", "operations"},
		`{"scp":["orders","operations"]}`:   {"orders", "operations"},
		`{"scp":"orders operations"}`:       {"orders", "operations"},
		`{"scope":"orders","scp":["more"]}`: {"orders", "more"},
		`{}`:                                nil,
	} {
		claim := map[string]any{}
		if err := json.Unmarshal([]byte(text), &claim); err != nil {
			t.Fatal(err)
		}
		claim["iss"], claim["aud"], claim["sub"], claim["exp"] = "orderflow", "orderflow", "alice", time.Now().Add(time.Minute).Unix()
		issuer := newIssuer(t)
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims(claim))
		token.Header["kid"] = issuer.public.KeyID
		signed, err := token.SignedString(issuer.private)
		if err != nil {
			t.Fatal(err)
		}
		if caller, err := issuer.Verifier().Verify(t.Context(), signed); err != nil || !slices.Equal(caller.Scopes, want) {
			t.Errorf("%s: %q, error %v", text, caller.Scopes, err)
		}
	}
}
