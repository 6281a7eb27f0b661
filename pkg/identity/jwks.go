package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// JWKS is a set of public keys as issuers publish it (RFC 7517).
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// JWK is one public key: Ed25519 (RFC 8037), ECDSA on P-256, or RSA (RFC 7518).
type JWK struct {
	Type      string `json:"kty"`
	ID        string `json:"kid"`
	Use       string `json:"use,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
}

const rsaBitsMin = 2048

// keys returns the usable keys by their ids. An issuer may publish others as well, for purposes or algorithms that are not
// ours; they are passed over.
func (s JWKS) keys() map[string]any {
	set := make(map[string]any, len(s.Keys))
	for _, k := range s.Keys {
		if key, err := k.public(); err == nil {
			set[k.ID] = key
		}
	}
	return set
}

func (k JWK) public() (any, error) {
	if k.ID == "" || k.Use == "enc" || k.Algorithm != "" && !slices.Contains(algorithms, k.Algorithm) {
		return nil, errors.New("not a key to verify tokens with")
	}
	switch k.Type + " " + k.Curve {
	case "OKP Ed25519":
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, errors.New("not an Ed25519 key")
		}
		return ed25519.PublicKey(x), nil
	case "EC P-256":
		x, errX := base64.RawURLEncoding.DecodeString(k.X)
		y, errY := base64.RawURLEncoding.DecodeString(k.Y)
		if err := errors.Join(errX, errY); err != nil {
			return nil, err
		}
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y)) // checks that it is on the curve
	case "RSA ":
		n, errN := base64.RawURLEncoding.DecodeString(k.N)
		e, errE := base64.RawURLEncoding.DecodeString(k.E)
		if err := errors.Join(errN, errE); err != nil {
			return nil, err
		}
		key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if key.N.BitLen() < rsaBitsMin || key.E < 3 || key.E%2 == 0 || len(e) > 4 {
			return nil, errors.New("a weak RSA key")
		}
		return key, nil
	}
	return nil, fmt.Errorf("a key of type %s %s", k.Type, k.Curve)
}
