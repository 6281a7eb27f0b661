package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/text"
	"example.com/orderflow/pkg/wire"
	"github.com/golang-jwt/jwt/v5"
)

const (
	leeway     = 30 * time.Second // between the issuer's clock and ours
	subjectMax = 128
)

// algorithms that a token may be signed with. All have a private and a public key: with an HMAC, every service that can
// verify tokens could also make them.
var algorithms = []string{"EdDSA", "ES256", "RS256"}

// Verifier tells good tokens from bad ones. It needs the issuer's public keys only and keeps them, so a service goes on
// verifying while the issuer is away.
//
// A token that was found good is remembered: from then on it costs a hash instead of a signature. Each time its end is
// checked, and whether its issuer still publishes the key that it was verified with. So a withdrawn key is accepted for as
// long as keys are kept, five minutes (docs/adr/0024), and no longer.
type Verifier struct {
	parser     *jwt.Parser
	keys       keySource
	remembered *remembered
}

// keySource finds a public key by the id in a token's header. Its errors are Unauthorized for a key that does not exist,
// and Unavailable when it cannot tell.
type keySource interface {
	find(ctx context.Context, kid string) (any, error)
}

// NewVerifier returns a verifier of the tokens that issuer has made for audience. It fetches the keys from jwksURL when it
// needs them for the first time.
func NewVerifier(jwksURL, issuer, audience string, log *slog.Logger) *Verifier {
	here := func(context.Context) (string, error) { return jwksURL, nil }
	return newVerifier(newRemoteKeys(here, log), issuer, audience)
}

func newVerifier(keys keySource, issuer, audience string) *Verifier {
	return &Verifier{
		keys:       keys,
		remembered: newRemembered(),
		parser: jwt.NewParser(
			jwt.WithValidMethods(algorithms),
			jwt.WithExpirationRequired(),
			jwt.WithLeeway(leeway),
			jwt.WithIssuer(issuer),
			jwt.WithAudience(audience),
		),
	}
}

// Verify returns the caller whose token it is. The error is Unauthorized for a bad token, with a reason that the caller may
// read, and Unavailable when there are no keys to verify it with. The caller's scopes are shared and must not be changed.
func (v *Verifier) Verify(ctx context.Context, token string) (Caller, error) {
	hash := sha256.Sum256([]byte(token))
	if known, ok := v.remembered.GetIfPresent(hash); ok {
		key, err := v.keys.find(ctx, known.kid)
		if err != nil {
			return Caller{}, refusal(err)
		}
		if known.holds(time.Now(), key) {
			return known.caller, nil
		}
	}
	good, err := v.verify(ctx, token)
	if err != nil {
		return Caller{}, err
	}
	v.remembered.Set(hash, good)
	return good.caller, nil
}

// verify checks everything in a token, and its signature.
//
// The claims are read into a map because their names are exact. Into a struct, encoding/json would also read a claim Sub,
// in place of sub, and some providers let their users choose claims of their own.
func (v *Verifier) verify(ctx context.Context, token string) (good goodToken, err error) {
	if !exact(token) {
		return goodToken{}, fault.New(fault.Unauthorized, "the token cannot be read")
	}
	c := jwt.MapClaims{}
	_, err = v.parser.ParseWithClaims(token, c, func(t *jwt.Token) (any, error) {
		if t.Header["crit"] != nil { // the parser knows no extension and does not check (RFC 7515, 4.1.11)
			return nil, fault.New(fault.Unauthorized, "the token needs an extension that is not known here")
		}
		good.kid, _ = t.Header["kid"].(string)
		key, err := v.keys.find(ctx, good.kid)
		good.key, _ = key.(publicKey)
		return key, err
	})
	if err != nil {
		return goodToken{}, refusal(err)
	}
	sub, _ := c["sub"].(string)
	if !goodSubject(sub) {
		return goodToken{}, fault.New(fault.Unauthorized, "the token's subject is missing or unreadable")
	}
	scopes, err := scopesOf(c)
	if err != nil {
		return goodToken{}, refusal(err)
	}
	good.caller = Caller{ID: sub, Scopes: scopes}
	ends, err := c.GetExpirationTime() // it is there: see newVerifier
	if err != nil {
		return goodToken{}, refusal(err)
	}
	good.until = ends.Add(leeway)
	begins, err := c.GetNotBefore()
	if err != nil {
		return goodToken{}, refusal(err)
	}
	if begins != nil {
		good.from = begins.Add(-leeway)
	}
	return good, nil
}

// exact reports whether a token's header and claims can be read in one way only: when a claim is there twice, another
// reader may take the first.
func exact(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	for _, part := range parts[:2] {
		text, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || !wire.Valid(text) {
			return false
		}
	}
	return true
}

// scopesOf reads scope, a text with spaces as in RFC 8693 and RFC 9068, and scp, which some providers have instead or as
// well, as such a text or as a list.
func scopesOf(c jwt.MapClaims) ([]string, error) {
	var scopes []string
	for _, name := range []string{"scope", "scp"} {
		switch v := c[name].(type) {
		case nil:
		case string:
			scopes = append(scopes, strings.Fields(v)...)
		case []any:
			for _, s := range v {
				one, ok := s.(string)
				if !ok || name == "scope" {
					return nil, jwt.ErrInvalidType
				}
				scopes = append(scopes, one)
			}
		default:
			return nil, jwt.ErrInvalidType
		}
	}
	return scopes, nil
}

// refusal returns the error for a bad token. The parser checks the claims only after the signature, so an error about
// claims tells a caller nothing about a token that was not issued to them.
func refusal(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok { // from the keySource
		return f
	}
	why := "the token cannot be read"
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		why = "the token's signature is not right"
	case errors.Is(err, jwt.ErrTokenExpired):
		why = "the token has expired"
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		why = "the token is not valid yet"
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		why = "the token is for another audience"
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		why = "the token is from another issuer"
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		why = "the token lacks a claim that is needed: exp, iss and aud are"
	}
	return fault.New(fault.Unauthorized, "%s", why).Because(err)
}

// goodSubject reports whether a subject can be stored, forges no line of a log, and can be seen.
func goodSubject(sub string) bool {
	return utf8.ValidString(sub) && utf8.RuneCountInString(sub) <= subjectMax && text.Wrong(sub) == "" && text.Visible(sub)
}
