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
	rsaBitsMost = 8192 // verifying with a larger key takes so long that only an attacker would use one
)

// readKeys reads a set of public keys (RFC 7517) and returns those that tokens can be verified with, by their ids. An
// issuer may also publish keys for other purposes, or for algorithms that are not accepted or not known here: they are left
// out.
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

// usable reports whether a key may verify tokens and is not weak.
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
