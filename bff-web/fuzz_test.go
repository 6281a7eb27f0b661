package main

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
)

// Whatever the cookie contains, the cart can be ordered, and writing and reading it does not change it. Adding units never
// lowers a quantity.
func FuzzCart(f *testing.F) {
	f.Add("MUG-BLUE:2/PEN:1", "PEN", 3)
	f.Add("MUG:+5/MUG:1/mug:1/:/A:-1/A:100//", "A", -1)
	f.Add("A:99", "A", int(^uint(0)>>1)) // once overflowed: the sum was negative
	f.Fuzz(func(t *testing.T, cookie, name string, n int) {
		k := parseCart(cookie)
		if text := k.String(); len(k) > cartMost || len(text) > 2500 || !slices.Equal(parseCart(text), k) {
			t.Fatalf("%q is %q", cookie, text)
		}
		for i, l := range k {
			if !sku.MatchString(l.SKU) || l.Quantity < 1 || l.Quantity > quantityMost || slices.ContainsFunc(k[:i], func(o messages.Line) bool { return o.SKU == l.SKU }) {
				t.Errorf("%q has the line %+v", cookie, l)
			}
		}
		if !sku.MatchString(name) || n < 0 {
			return // postCart refuses it
		}
		if more, ok := k.plus(name, n); ok && (more.of(name) < k.of(name) || more.of(name) > quantityMost || !slices.Equal(parseCart(more.String()), more)) {
			t.Errorf("%q and %d of %s are %q", k, n, name, more)
		}
		if set, ok := k.with(name, n); ok && set.of(name) != min(n, quantityMost) {
			t.Errorf("%q with %d of %s is %q", k, n, name, set)
		}
	})
}

// A session can be opened only if it was sealed with our key and is unchanged.
func FuzzSession(f *testing.F) {
	s, err := newSealer(make(sealKey, sealKeySize), slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	now := time.Now()
	sealed, err := s.seal(session{"token", identity.Caller{ID: "alice"}, now.Add(time.Hour)})
	if err != nil {
		f.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", 0, byte(0))
	f.Add(sealed[:20], 20, byte(1))
	f.Add(strings.Repeat("A", 500), len(raw)-1, byte(0x80))
	f.Fuzz(func(t *testing.T, cookie string, at int, change byte) {
		if who := s.open(cookie, now); who != nil && cookie != sealed {
			t.Fatalf("%q is the session of %+v", cookie, who)
		}
		changed := slices.Clone(raw)
		changed[uint(at)%uint(len(raw))] ^= change
		if who := s.open(base64.RawURLEncoding.EncodeToString(changed), now); (who != nil) != (change == 0) {
			t.Errorf("with %d changed by %x it is %+v", at, change, who)
		}
	})
}

// No path leads to another site, as a browser reads it: browsers take \ for / and skip tabs and line breaks.
func FuzzNext(f *testing.F) {
	for _, path := range []string{"/orders/1?notice=late", "//evil.example", `/\evil.example`, "/\t/evil.example", "/.//evil.example", "/%2f/evil.example", "https:evil.example", " //evil.example"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		next := local(path)
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimFunc(next, func(r rune) bool { return r <= ' ' }))
		u, err := url.Parse(next)
		if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(read, "/") || strings.HasPrefix(read, "//") || local(next) != next {
			t.Errorf("%q leads to %q, which a browser reads as %q", path, next, read)
		}
	})
}

// Whatever a reader sends as Last-Event-ID is read as the number of an entry, as nothing, or as unknown. An id that we have
// sent is read correctly.
func FuzzLastEventID(f *testing.F) {
	for _, id := range []string{"7", "", "-1", "9223372036854775807", "9223372036854775808", "0x7", " 7", "7\n8"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		n := lastSeen(id)
		if n < unknown || n > math.MaxInt32 || n > 0 && !strings.Contains(id, strconv.Itoa(n)) || n == 0 && strings.Trim(id, "+-0") != "" {
			t.Errorf("%q is %d", id, n)
		}
		if n >= 0 && lastSeen(strconv.Itoa(n)) != n {
			t.Errorf("%d is not read as it was told", n)
		}
	})
}

// A verified token ends at its exp, however JSON writes the number, and no other claim matters.
func FuzzExpiry(f *testing.F) {
	for _, claims := range []string{`{"exp":1767323045}`, `{"exp":1767323045.5}`, `{"exp":1.767323045e9}`, `{"exp":1767323045,"EXP":9}`, `{"exp":"soon"}`, `null`, `{`} {
		f.Add(claims)
	}
	f.Fuzz(func(t *testing.T, claims string) {
		got := expiry("header." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".signature")
		var said map[string]any
		_ = json.Unmarshal([]byte(claims), &said) // if it fails, there is no exp
		if exp, ok := said["exp"].(float64); ok && exp >= 0 && exp < 1<<40 {
			if got.Unix() != int64(exp) {
				t.Errorf("%s ends at %s", claims, got)
			}
		} else if got.After(time.Now()) && exp < 1<<40 {
			t.Errorf("%s ends at %s", claims, got)
		}
	})
}
