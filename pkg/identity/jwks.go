package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"slices"

	"example.com/orderflow/pkg/wire"
	"github.com/go-jose/go-jose/v4"
)

const (
	rsaBitsMin  = 2048
	rsaBitsMost = 8192 // to verify by a larger one takes so long that it is no use to anybody but an attacker
)

// readKeys reads a set of public keys (RFC 7517) and returns those that tokens can be verified with, by their ids. An issuer
// may publish others as well, for purposes or algorithms that are not ours or that nobody here knows; they are passed over.
func readKeys(document []byte) (map[string]any, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := wire.Read(document, &set); err != nil {
		return nil, err
	}
	keys := map[string]any{}
	for _, text := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(text) == nil && usable(k) {
			keys[k.KeyID] = k.Key
		}
	}
	return keys, nil
}

// usable reports whether a key is one to verify tokens with, and not a weak one.
func usable(k jose.JSONWebKey) bool {
	if k.KeyID == "" || k.Use == "enc" || k.Algorithm != "" && !slices.Contains(algorithms, k.Algorithm) || !k.Valid() {
		return false
	}
	switch key := k.Key.(type) {
	case ed25519.PublicKey:
		return true
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256()
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		return bits >= rsaBitsMin && bits <= rsaBitsMost && key.E >= 3 && key.E%2 == 1
	}
	return false
}
