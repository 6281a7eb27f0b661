package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
	"github.com/golang-jwt/jwt/v5"
)

func newIssuer(t *testing.T) *Issuer {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed)
	issuer, err := NewIssuer(seed, "orderflow", "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

// token returns what an issuer would sign, with some claims replaced; nil removes a claim.
func token(t *testing.T, kid string, method jwt.SigningMethod, key any, replace map[string]any) string {
	t.Helper()
	c := jwt.MapClaims{"iss": "orderflow", "aud": "orderflow", "sub": "alice", "scope": "orders", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range replace {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	unsigned := jwt.NewWithClaims(method, c)
	unsigned.Header["kid"] = kid
	signed, err := unsigned.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestATokenOfTheIssuerTellsWhoTheCallerIs(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	signed, err := issuer.Token("olga", []string{ScopeOrders, ScopeOperations}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	caller, err := issuer.Verifier().Verify(t.Context(), signed)
	if err != nil {
		t.Fatal(err)
	}
	if caller.ID != "olga" || !slices.Equal(caller.Scopes, []string{"orders", "operations"}) {
		t.Errorf("the caller is %+v", caller)
	}
}

func TestTheReasonForRefusingATokenIsGiven(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	verifier, ours := issuer.Verifier(), issuer.public.KeyID
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	good := token(t, ours, jwt.SigningMethodEdDSA, issuer.private, nil)
	parts := strings.Split(good, ".")
	forged := func(part int, text string) string {
		p := slices.Clone(parts)
		p[part] = base64.RawURLEncoding.EncodeToString([]byte(text))
		return strings.Join(p, ".")
	}
	signed := func(header, claims string) string {
		text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(issuer.private, []byte(text)))
	}
	header := `{"alg":"EdDSA","kid":"` + ours + `"}`
	payload := `{"iss":"orderflow","aud":"orderflow","exp":9999999999,"sub":"alice"`
	claims := func(replace map[string]any) string {
		return token(t, ours, jwt.SigningMethodEdDSA, issuer.private, replace)
	}
	for name, test := range map[string]struct{ token, why string }{
		"good":                               {good, ""},
		"within the leeway after its end":    {claims(map[string]any{"exp": in(-20 * time.Second)}), ""},
		"within the leeway before its begin": {claims(map[string]any{"nbf": in(20 * time.Second)}), ""},
		"one of several audiences":           {claims(map[string]any{"aud": []string{"shop", "orderflow"}}), ""},
		"without scope":                      {claims(map[string]any{"scope": nil}), ""},
		"expired":                            {claims(map[string]any{"exp": in(-40 * time.Second)}), "the token has expired"},
		"without end":                        {claims(map[string]any{"exp": nil}), "the token lacks a claim"},
		"not valid yet":                      {claims(map[string]any{"nbf": in(40 * time.Second)}), "the token is not valid yet"},
		"of another audience":                {claims(map[string]any{"aud": "shop"}), "the token is for another audience"},
		"without audience":                   {claims(map[string]any{"aud": nil}), "the token lacks a claim"},
		"of another issuer":                  {claims(map[string]any{"iss": "elsewhere"}), "the token is from another issuer"},
		"without issuer":                     {claims(map[string]any{"iss": nil}), "the token lacks a claim"},
		"without subject":                    {claims(map[string]any{"sub": nil}), "the token's subject"},
		"with an empty subject":              {claims(map[string]any{"sub": ""}), "the token's subject"},
		"with a long subject":                {claims(map[string]any{"sub": strings.Repeat("ä", 129)}), "the token's subject"},
		"with a subject just not too long":   {claims(map[string]any{"sub": strings.Repeat("ä", 128)}), ""},
		"with a line break in its subject":   {claims(map[string]any{"sub": "alice\nbob"}), "the token's subject"},
		"with a number as its subject":       {claims(map[string]any{"sub": 7}), "the token's subject"},
		"with a scope that is a list":        {claims(map[string]any{"scope": []string{"operations"}}), "the token cannot be read"},
		"of another key with our key's id":   {token(t, ours, jwt.SigningMethodEdDSA, newIssuer(t).private, nil), "the token's signature"},
		"of a key that nobody knows":         {token(t, "other", jwt.SigningMethodEdDSA, newIssuer(t).private, nil), "the token is signed with a key"},
		"without a key's id":                 {token(t, "", jwt.SigningMethodEdDSA, issuer.private, nil), "the token is signed with a key"},
		"signed by nobody":                   {token(t, ours, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), "the token's signature"},
		"signed with the public key as MAC":  {token(t, ours, jwt.SigningMethodHS256, []byte(issuer.private.Public().(ed25519.PublicKey)), nil), "the token's signature"},
		"with other claims than were signed": {forged(1, `{"iss":"orderflow","aud":"orderflow","sub":"olga","exp":9999999999}`), "the token's signature"},
		"with another algorithm than signed": {forged(0, `{"alg":"ES256","kid":"`+ours+`"}`), "the token's signature"},
		"with an algorithm nobody knows":     {forged(0, `{"alg":"nOnE","kid":"`+ours+`"}`), "the token cannot be read"},
		"with exact claims":                  {signed(header, payload+"}"), ""},
		"with two subjects":                  {signed(header, payload+`,"sub":"olga"}`), "the token cannot be read"},
		"with two scopes deep down":          {signed(header, payload+`,"more":{"a":1,"a":2}}`), "the token cannot be read"},
		"with two keys":                      {signed(`{"alg":"EdDSA","kid":"x","kid":"`+ours+`"}`, payload+"}"), "the token cannot be read"},
		"with half a surrogate pair":         {signed(header, payload+`,"name":"\ud800"}`), "the token cannot be read"},
		"with a subject nobody sees":         {claims(map[string]any{"sub": "\u00a0\u200b"}), "the token's subject"},
		"with a subject that turns round":    {claims(map[string]any{"sub": "ecila\u202e"}), "the token's subject"},
		"with null claims":                   {forged(1, `null`), "the token's signature"},
		"cut short":                          {good[:len(good)-10], "the token's signature"},
		"without signature":                  {parts[0] + "." + parts[1] + ".", "the token's signature"},
		"of two parts":                       {parts[0] + "." + parts[1], "the token cannot be read"},
		"no token at all":                    {"secret", "the token cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caller, err := verifier.Verify(t.Context(), test.token)
			if test.why == "" {
				if err != nil || caller.ID == "" {
					t.Fatalf("caller %+v, error %v", caller, err)
				}
				return
			}
			if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != fault.Unauthorized || !strings.HasPrefix(f.Detail, test.why) {
				t.Fatalf("the error is %#v, not %q", err, test.why)
			}
			if caller.ID != "" || caller.Scopes != nil {
				t.Errorf("a refused token still has the caller %+v", caller)
			}
		})
	}
}

func TestTokensOfOtherIdentityProvidersAreUnderstood(t *testing.T) {
	t.Parallel()
	b64 := base64.RawURLEncoding.EncodeToString
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	document := fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":"ec","x":%q,"y":%q},{"kty":"RSA","kid":"rsa","use":"sig","alg":"RS256","n":%q,"e":"AQAB"}]}`,
		b64(point[1:33]), b64(point[33:]), b64(rsaKey.N.Bytes()))
	keys, err := readKeys([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	verifier := newVerifier(localKeys(keys), "orderflow", "orderflow")
	for kid, by := range map[string]struct {
		method jwt.SigningMethod
		key    crypto.Signer
	}{"ec": {jwt.SigningMethodES256, ec}, "rsa": {jwt.SigningMethodRS256, rsaKey}} {
		if _, err := verifier.Verify(t.Context(), token(t, kid, by.method, by.key, nil)); err != nil {
			t.Errorf("%s: %v", kid, err)
		}
	}
	if _, err := verifier.Verify(t.Context(), token(t, "rsa", jwt.SigningMethodES256, ec, nil)); fault.KindOf(err) != fault.Unauthorized {
		t.Errorf("an ECDSA signature with the id of an RSA key: %v", err)
	}
	if _, err := verifier.Verify(t.Context(), token(t, "rsa", jwt.SigningMethodPS256, rsaKey, nil)); fault.KindOf(err) != fault.Unauthorized {
		t.Errorf("an algorithm that is not on the list: %v", err)
	}
}

func TestKeysThatAreNotGoodForTokensArePassedOver(t *testing.T) {
	t.Parallel()
	good, err := json.Marshal(newIssuer(t).public)
	if err != nil {
		t.Fatal(err)
	}
	small := base64.RawURLEncoding.EncodeToString(slices.Repeat([]byte{0xff}, 128))
	large := base64.RawURLEncoding.EncodeToString(slices.Repeat([]byte{0xff}, 256))
	zero := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	for name, key := range map[string]string{
		"no id":               `{"kty":"OKP","crv":"Ed25519","x":"` + zero + `"}`,
		"for encryption":      `{"kty":"OKP","crv":"Ed25519","kid":"x","use":"enc","x":"` + zero + `"}`,
		"a secret":            `{"kty":"oct","kid":"x","k":"` + zero + `"}`,
		"a private key":       `{"kty":"OKP","crv":"Ed25519","kid":"x","x":"` + zero + `","d":"` + zero + `"}`,
		"for another purpose": `{"kty":"OKP","crv":"Ed25519","kid":"x","alg":"HS256","x":"` + zero + `"}`,
		"not base64":          `{"kty":"OKP","crv":"Ed25519","kid":"x","x":"$"}`,
		"too short":           `{"kty":"OKP","crv":"Ed25519","kid":"x","x":"AAAA"}`,
		"another curve":       `{"kty":"OKP","crv":"Ed448","kid":"x","x":"` + zero + `"}`,
		"off the curve":       `{"kty":"EC","crv":"P-256","kid":"x","x":"` + zero + `","y":"` + zero + `"}`,
		"a larger curve":      `{"kty":"EC","crv":"P-384","kid":"x","x":"` + zero + `","y":"` + zero + `"}`,
		"a small RSA key":     `{"kty":"RSA","kid":"x","n":"` + small + `","e":"AQAB"}`,
		"no RSA exponent":     `{"kty":"RSA","kid":"x","n":"` + large + `","e":""}`,
		"an even exponent":    `{"kty":"RSA","kid":"x","n":"` + large + `","e":"BA"}`,
		"an unknown type":     `{"kty":"new","kid":"x"}`,
		"not even a key":      `7`,
	} {
		if set, err := readKeys([]byte(`{"keys":[` + key + `,` + string(good) + `]}`)); err != nil || len(set) != 1 || set["x"] != nil {
			t.Errorf("%s: the set has %d keys, error %v", name, len(set), err)
		}
	}
}

// A set of keys that can be read in two ways is refused: it is not known which way its issuer meant.
func TestASetOfKeysThatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	for _, set := range []string{`{"keys":[],"keys":[]}`, `{"keys":[],"Keys":[{}]}`, `{"keys":[{"kid":"a","kid":"b"}]}`} {
		if keys, err := readKeys([]byte(set)); err == nil {
			t.Errorf("%s has %d keys", set, len(keys))
		}
	}
}

// The key and its thumbprint are those of RFC 8037, appendix A.
func TestAKeysIDIsItsThumbprint(t *testing.T) {
	t.Parallel()
	seed, err := base64.RawURLEncoding.DecodeString("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := NewIssuer(seed, "orderflow", "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(issuer.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"keys":[{"use":"sig","kty":"OKP","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","crv":"Ed25519","alg":"EdDSA",` +
		`"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	if string(document) != want {
		t.Errorf("the document is\n%s\nnot\n%s", document, want)
	}
}

func TestASeedOfAnotherLengthIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := NewIssuer(make([]byte, 31), "orderflow", "orderflow"); err == nil {
		t.Error("31 bytes are a seed")
	}
}
