// Package oidc tests Orderflow with a real OpenID Connect provider instead of its demo identity. It is a module of its own,
// so that no other code depends on a provider's libraries.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// provider is zitadel's library, with its example storage for all that the client credentials grant does not need. The
// subject of a token is the client's id.
type provider struct {
	*storage.Storage
	url string

	mu       sync.Mutex
	audience string
	life     time.Duration
	signing  key
	keys     []op.Key // the published keys
}

type key struct {
	id      string
	private *rsa.PrivateKey
}

func (k key) ID() string                                  { return k.id }
func (k key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k key) Key() any                                    { return k.private }

// published is the public half of a key.
type published struct{ key }

func (k published) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k published) Use() string                        { return "sig" }
func (k published) Key() any                           { return k.private.Public() }

// application is the example's, but its tokens are JWTs.
type application struct {
	op.Client
	id string
}

func (a application) GetID() string                       { return a.id }
func (a application) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

func serve(t *testing.T) *provider {
	t.Helper()
	p := &provider{audience: "orderflow", life: time.Hour}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	p.url = server.URL
	p.Storage = storage.NewStorage(storage.NewUserStore(p.url))
	p.rotate()
	var err error
	handler, err = op.NewProvider(&op.Config{AuthMethodPost: true}, p, op.StaticIssuer(p.url), op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rotate makes a new key, and withdraws the previous one.
func (p *provider) rotate() {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	p.with(func() {
		p.signing = key{uuid.NewString(), private}
		p.keys = []op.Key{published{p.signing}}
	})
}

func (p *provider) with(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *provider) SigningKey(context.Context) (op.SigningKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.signing, nil
}

func (p *provider) KeySet(context.Context) ([]op.Key, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys, nil
}

func (p *provider) ClientCredentials(ctx context.Context, id, _ string) (op.Client, error) {
	client, err := p.Storage.ClientCredentials(ctx, "sid1", "verysecret")
	return application{client, id}, err
}

func (p *provider) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &oidc.JWTTokenRequest{Subject: id, Audience: []string{p.audience}, Scopes: scopes}, nil
}

func (p *provider) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return uuid.NewString(), time.Now().Add(p.life), nil
}

func (p *provider) GetPrivateClaimsFromScopes(_ context.Context, _, _ string, scopes []string) (map[string]any, error) {
	return map[string]any{"scope": strings.Join(scopes, " ")}, nil
}

// token requests a token as every OAuth client does.
func (p *provider) token(t *testing.T, who, scope string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {who}, "client_secret": {"x"}, "scope": {scope}}
	answer, err := http.PostForm(p.url+"/oauth/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var granted struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error_description"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&granted); err != nil || granted.AccessToken == "" {
		t.Fatalf("%s: %q, error %v", answer.Status, granted.Error, err)
	}
	return granted.AccessToken
}
