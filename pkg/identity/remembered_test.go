package identity

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orderflow/pkg/fault"
	"github.com/golang-jwt/jwt/v5"
)

// unable is a parser that cannot verify a token. A verifier with it accepts only tokens that it remembers.
var unable = jwt.NewParser(jwt.WithValidMethods([]string{"no method at all"}))

func TestAGoodTokenIsVerifiedOnce(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	verifier := issuer.Verifier()
	sign := func(sub string) string {
		signed, err := issuer.Token(sub, []string{ScopeOrders}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	alice, bob := sign("alice"), sign("bob")
	first, err := verifier.Verify(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	verifier.parser = unable
	for range 3 {
		again, err := verifier.Verify(t.Context(), alice)
		if err != nil || again.ID != "alice" || !slices.Equal(again.Scopes, first.Scopes) {
			t.Errorf("the second time: %+v, %v", again, err)
		}
	}
	if _, err := verifier.Verify(t.Context(), bob); fault.KindOf(err) != fault.Unauthorized {
		t.Errorf("a token that was never verified: %v", err)
	}
	if _, err := verifier.Verify(t.Context(), alice[:len(alice)-4]+"AAAA"); fault.KindOf(err) != fault.Unauthorized {
		t.Errorf("the same claims with another signature: %v", err)
	}
}

func TestABadTokenIsNotRemembered(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	verifier := issuer.Verifier()
	for _, bad := range []string{
		"secret",
		token(t, issuer.public.KeyID, jwt.SigningMethodEdDSA, newIssuer(t).private, nil),
		token(t, issuer.public.KeyID, jwt.SigningMethodEdDSA, issuer.private, map[string]any{"aud": "shop"}),
		token(t, issuer.public.KeyID, jwt.SigningMethodEdDSA, issuer.private, map[string]any{"sub": nil}),
		token(t, issuer.public.KeyID, jwt.SigningMethodEdDSA, issuer.private, map[string]any{"scope": 7}),
	} {
		if _, err := verifier.Verify(t.Context(), bad); err == nil {
			t.Errorf("%s is good", bad)
		}
	}
	if n := verifier.remembered.EstimatedSize(); n != 0 {
		t.Errorf("%d are remembered", n)
	}
}

func TestARememberedTokenEndsWhenItSays(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	synctest.Test(t, func(t *testing.T) {
		verifier := issuer.Verifier()
		signed, err := issuer.Token("alice", nil, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := verifier.Verify(t.Context(), signed); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute + leeway - time.Second) // the second time it is one second before its end
		}
		if _, err := verifier.Verify(t.Context(), signed); err == nil || !strings.Contains(err.Error(), "the token has expired") {
			t.Errorf("after its end: %v", err)
		}
	})
}

func TestARememberedTokenHoldsOnlyInItsTimeAndWithItsKey(t *testing.T) {
	t.Parallel()
	key, other := newIssuer(t).public.Key, newIssuer(t).public.Key
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	g := goodToken{from: now.Add(-time.Minute), until: now.Add(time.Minute), key: key.(publicKey)}
	for name, test := range map[string]struct {
		after time.Duration
		key   crypto.PublicKey
		want  bool
	}{
		"in its time, with its key": {0, key, true},
		"from its begin":            {-time.Minute, key, true},
		"before its begin":          {-time.Minute - 1, key, false},
		"just before its end":       {time.Minute - 1, key, true},
		"at its end":                {time.Minute, key, false},
		"with another key":          {0, other, false},
		"with a key of another art": {0, &rsaKey.PublicKey, false},
	} {
		if got := g.holds(now.Add(test.after), test.key); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if (goodToken{until: now.Add(time.Minute), key: key.(publicKey)}).holds(now.AddDate(-50, 0, 0), key) != true {
		t.Error("a token without a begin has one")
	}
}

func TestARememberedTokenEndsWithItsKey(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	p := publish(t, issuer)
	signed, err := issuer.Token("alice", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	verify := func() fault.Kind {
		_, err := p.verifier.Verify(t.Context(), signed)
		p.keys.mu.Lock()
		fetching := p.keys.fetch
		p.keys.mu.Unlock()
		if fetching != nil {
			<-fetching
		}
		if err == nil {
			return ""
		}
		return fault.KindOf(err)
	}
	if kind := verify(); kind != "" {
		t.Fatal(kind)
	}
	p.rotate(newIssuer(t))
	p.clock.Add(299)
	if kind := verify(); kind != "" || p.fetches.Load() != 1 {
		t.Errorf("before the keys are fetched anew: %q, %d fetches", kind, p.fetches.Load())
	}
	p.clock.Add(1)
	if kind := verify(); kind != "" || p.fetches.Load() != 2 { // this one starts a fetch
		t.Errorf("when the keys are fetched anew: %q, %d fetches", kind, p.fetches.Load())
	}
	for range 2 {
		if kind := verify(); kind != fault.Unauthorized {
			t.Errorf("after the keys were fetched anew: %q", kind)
		}
	}
}

func TestTheNumberOfRememberedTokensIsBounded(t *testing.T) {
	t.Parallel()
	r := newRemembered()
	for i := range uint32(rememberedMost + 100) {
		r.Set(sha256.Sum256(binary.BigEndian.AppendUint32(nil, i)), goodToken{})
	}
	r.CleanUp()
	if n := r.EstimatedSize(); n != rememberedMost {
		t.Errorf("%d are remembered", n)
	}
}

func TestManyVerifyAtTheSameTime(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	verifier := issuer.Verifier()
	var all sync.WaitGroup
	for _, sub := range []string{"alice", "bob", "carol"} {
		signed, err := issuer.Token(sub, nil, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			all.Go(func() {
				for range 50 {
					if caller, err := verifier.Verify(context.Background(), signed); err != nil || caller.ID != sub {
						t.Errorf("%s: %+v, %v", sub, caller, err)
					}
				}
			})
		}
	}
	all.Wait()
}

// BenchmarkVerify measures what a token costs, the first time and later.
func BenchmarkVerify(b *testing.B) {
	issuer, err := NewIssuer(make([]byte, 32), "orderflow", "orderflow")
	if err != nil {
		b.Fatal(err)
	}
	signed, err := issuer.Token("alice", []string{ScopeOrders}, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	verifier := issuer.Verifier()
	b.Run("for the first time", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := verifier.verify(b.Context(), signed); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := verifier.Verify(b.Context(), signed); err != nil {
				b.Fatal(err)
			}
		}
	})
}
