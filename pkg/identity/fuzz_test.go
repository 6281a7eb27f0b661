package identity

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"example.com/orderflow/pkg/fault"
	"github.com/go-jose/go-jose/v4"
)

// A token is believed only if its issuer has signed exactly what it says, in claims of exactly these names.
func FuzzToken(f *testing.F) {
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	private := ed25519.NewKeyFromSeed(seed)
	issuer, err := NewIssuer(seed, "orderflow", "orderflow")
	if err != nil {
		f.Fatal(err)
	}
	verifier := issuer.Verifier()
	good := `{"alg":"EdDSA","kid":"` + issuer.public.KeyID + `"}`
	const claims = `{"iss":"orderflow","aud":["orderflow"],"sub":"alice","scope":"orders","exp":4102444800}`
	f.Add(good, claims, []byte(nil), true)
	f.Add(good, claims, []byte("forged"), false)
	f.Add(`{"alg":"none","kid":"`+issuer.public.KeyID+`"}`, claims, []byte{}, false)
	f.Add(`{"alg":"HS256","kid":"`+issuer.public.KeyID+`"}`, claims, []byte{}, true)
	f.Add(strings.Replace(good, "}", `,"crit":["b64"],"b64":false}`, 1), claims, []byte{}, true)
	f.Add(good, strings.Replace(claims, "}", `,"Sub":"olga","SCOPE":"operations"}`, 1), []byte{}, true)
	f.Add(good, strings.Replace(claims, "4102444800", "1e300", 1), []byte{}, true)
	f.Add(good, strings.Replace(claims, `"orders"`, `["a b"],"scp":["operations",1]`, 1), []byte{}, true)
	f.Fuzz(func(t *testing.T, header, claims string, signature []byte, sign bool) {
		encode := base64.RawURLEncoding.EncodeToString
		text := encode([]byte(header)) + "." + encode([]byte(claims))
		if sign {
			signature = ed25519.Sign(private, []byte(text))
		}
		caller, err := verifier.Verify(t.Context(), text+"."+encode(signature))
		if err != nil {
			if fault.KindOf(err) != fault.Unauthorized {
				t.Errorf("not Unauthorized: %v", err)
			}
			return
		}
		var head, said map[string]any
		if err := json.Unmarshal([]byte(header), &head); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(claims), &said); err != nil {
			t.Fatal(err)
		}
		expires, _ := said["exp"].(float64)
		audience, _ := said["aud"].([]any)
		switch {
		case !ed25519.Verify(private.Public().(ed25519.PublicKey), []byte(text), signature):
			t.Errorf("%s is believed", claims)
		case head["alg"] != "EdDSA" || head["crit"] != nil:
			t.Errorf("%s is believed", header)
		case said["sub"] != caller.ID || strings.ContainsFunc(caller.ID, unicode.IsControl) || said["iss"] != "orderflow" || said["aud"] != "orderflow" && !slices.Contains(audience, "orderflow"):
			t.Errorf("%s is %+v", claims, caller)
		case expires < float64(time.Now().Add(-leeway).Unix()):
			t.Errorf("%s has not expired", claims)
		}
		scope, _ := json.Marshal([]any{said["scope"], said["scp"]})
		for _, s := range caller.Scopes {
			if plain, _ := json.Marshal(s); !bytes.Contains(scope, bytes.Trim(plain, `"`)) {
				t.Errorf("%s gives the scope %q", claims, s)
			}
		}
	})
}

// An issuer may publish anything. Only keys that are fit to verify tokens are taken, and their ids tell them apart.
func FuzzJWKS(f *testing.F) {
	issuer, err := NewIssuer(bytes.Repeat([]byte{7}, ed25519.SeedSize), "orderflow", "orderflow")
	if err != nil {
		f.Fatal(err)
	}
	document, err := json.Marshal(issuer.JWKS())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(document)
	f.Add([]byte(`{"keys":[{"kty":"oct","kid":"a","k":"AAAA"},null,1,{"kty":"EC","crv":"P-256","kid":"b","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"c","n":"` + strings.Repeat("_", 342) + `","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"d","n":"` + strings.Repeat("_", 3000) + `","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"e","n":"` + strings.Repeat("_", 342) + `","e":"AQ"}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		keys, err := readKeys(document)
		if err != nil {
			return
		}
		var again jose.JSONWebKeySet
		for id, key := range keys {
			switch k := key.(type) {
			case ed25519.PublicKey:
				if len(k) != ed25519.PublicKeySize {
					t.Errorf("a key of %d bytes", len(k))
				}
			case *ecdsa.PublicKey:
				if _, err := k.ECDH(); err != nil { // not on its curve
					t.Error(err)
				}
			case *rsa.PublicKey:
				if bits := k.N.BitLen(); bits < rsaBitsMin || bits > rsaBitsMost || k.E < 3 {
					t.Errorf("RSA of %d bits, e %d", bits, k.E)
				}
			default:
				t.Errorf("%T", key)
			}
			if found, err := localKeys(keys).find(context.Background(), id); id == "" || err != nil || found == nil {
				t.Errorf("the key %q: %v", id, err)
			}
			again.Keys = append(again.Keys, jose.JSONWebKey{Key: key, KeyID: id})
		}
		text, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := readKeys(text); err != nil || len(same) != len(keys) {
			t.Errorf("of %d keys %d are left, %v", len(keys), len(same), err)
		}
	})
}
