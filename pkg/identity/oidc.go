package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"example.com/orderflow/pkg/wire"
	"github.com/coreos/go-oidc/v3/oidc"
)

// Trust says which issuer's tokens are accepted. A program's config embeds it.
type Trust struct {
	OIDCIssuer    string `env:"OIDC_ISSUER"`                                                       // URL of an OpenID Connect provider whose tokens are accepted; with it, JWKS_URL and TOKEN_ISSUER are not used
	JWKSURL       string `env:"JWKS_URL" envDefault:"http://localhost:8080/.well-known/jwks.json"` // where the public keys are that verify tokens
	TokenIssuer   string `env:"TOKEN_ISSUER" envDefault:"orderflow"`                               // what a token's `iss` must be
	TokenAudience string `env:"TOKEN_AUDIENCE" envDefault:"orderflow"`                             // what a token's `aud` must contain
}

// Verifier returns the verifier of these tokens.
func (t Trust) Verifier(log *slog.Logger) *Verifier {
	if t.OIDCIssuer != "" {
		return NewOIDCVerifier(t.OIDCIssuer, t.TokenAudience, log)
	}
	return NewVerifier(t.JWKSURL, t.TokenIssuer, t.TokenAudience, log)
}

// NewOIDCVerifier returns a verifier of the access tokens that an OpenID Connect provider has made for audience. They must
// be JWTs. Discovery tells where the provider's keys are. The provider is asked when the first token comes, and from time
// to time, so it may be away when the program starts.
//
// The tokens are verified like all others, not by go-oidc (docs/adr/0024).
func NewOIDCVerifier(issuer, audience string, log *slog.Logger) *Verifier {
	asker := issuerClient()
	discover := func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		provider, err := oidc.NewProvider(oidc.ClientContext(ctx, asker), issuer) // it must name itself by the same URL
		if err != nil {
			return "", fmt.Errorf("discover: %w", err)
		}
		var document struct {
			Keys string `json:"jwks_uri"`
		}
		var text json.RawMessage
		if err := provider.Claims(&text); err != nil {
			return "", fmt.Errorf("discover: %w", err)
		}
		if err := wire.Read(text, &document); err != nil {
			return "", fmt.Errorf("discover: %w", err)
		}
		return document.Keys, nil
	}
	return newVerifier(newRemoteKeys(discover, log), issuer, audience)
}
