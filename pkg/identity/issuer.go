package identity

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Issuer makes tokens with an Ed25519 key. It stands in for an identity provider, in the gateway's demo identity and in
// tests. It keeps no accounts: the code that calls Token decides who the caller is.
type Issuer struct {
	name     string
	audience string
	private  ed25519.PrivateKey
	public   jose.JSONWebKey
}

// claims of our own tokens.
type claims struct {
	jwt.RegisteredClaims
	Scope string `json:"scope,omitempty"`
}

// NewIssuer returns the issuer with this name, whose tokens are for audience. The same seed gives the same key. The seed is
// a secret: with it one can make tokens for anybody.
func NewIssuer(seed []byte, name, audience string) (*Issuer, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("the seed of a key has %d bytes, not %d", ed25519.SeedSize, len(seed))
	}
	private := ed25519.NewKeyFromSeed(seed)
	public := jose.JSONWebKey{Key: private.Public(), Use: "sig", Algorithm: string(jose.EdDSA)}
	// The id is made from the key (RFC 7638): replicas with the same key have the same id, and another key has another one.
	print, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("id of a key: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(print)
	return &Issuer{name, audience, private, public}, nil
}

// Token returns a token which says, for as long as ttl, that its bearer is sub and has these scopes.
func (i *Issuer) Token(sub string, scopes []string, ttl time.Duration) (string, error) {
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    i.name,
			Subject:   sub,
			Audience:  jwt.ClaimStrings{i.audience},
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
			ID:        uuid.NewString(),
		},
		Scope: strings.Join(scopes, " "),
	})
	token.Header["kid"] = i.public.KeyID
	return token.SignedString(i.private)
}

// JWKS returns the public key that tokens are verified with.
func (i *Issuer) JWKS() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.public}}
}

// Verifier returns a verifier of this issuer's tokens, which has the key and fetches none.
func (i *Issuer) Verifier() *Verifier {
	return newVerifier(localKeys{i.public.KeyID: i.public.Key}, i.name, i.audience)
}
