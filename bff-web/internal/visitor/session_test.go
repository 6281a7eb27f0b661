package visitor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/identity"
)

// A session can be opened only if it was sealed with our key and is unchanged.
func FuzzSession(f *testing.F) {
	s, err := NewSealer(make(SealKey, sealKeySize), slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	now := time.Now()
	sealed, err := s.Seal(Session{"token", identity.Caller{ID: "alice"}, now.Add(time.Hour)})
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

// A verified token ends at its exp, however JSON writes the number, and no other claim matters.
func FuzzExpiry(f *testing.F) {
	for _, claims := range []string{`{"exp":1767323045}`, `{"exp":1767323045.5}`, `{"exp":1.767323045e9}`, `{"exp":1767323045,"EXP":9}`, `{"exp":"soon"}`, `null`, `{`} {
		f.Add(claims)
	}
	f.Fuzz(func(t *testing.T, claims string) {
		got := Expiry("header." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".signature")
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

func TestASessionIsOpenedOnlyAsItWasSealedAndOnlyInItsTime(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	ours, _ := NewSealer(bytes.Repeat([]byte{1}, sealKeySize), log)
	replica, _ := NewSealer(bytes.Repeat([]byte{1}, sealKeySize), log)
	other, _ := NewSealer(nil, log)
	end := time.Now().Add(time.Hour)
	sealed, err := ours.Seal(Session{"a-token", identity.Caller{ID: "alice"}, end})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "token") || strings.Contains(sealed, "alice") {
		t.Error("it can be read")
	}
	if again, _ := ours.Seal(Session{"a-token", identity.Caller{ID: "alice"}, end}); again == sealed {
		t.Error("two are the same")
	}
	if who := replica.open(sealed, time.Now()); who == nil || who.Token != "a-token" || who.Name() != "Alice" || who.Operator() {
		t.Errorf("another replica reads %+v", who)
	}
	changed := "A" + sealed[1:]
	if changed == sealed {
		changed = "B" + sealed[1:]
	}
	for what, who := range map[string]*Session{
		"another key":  other.open(sealed, time.Now()),
		"too late":     ours.open(sealed, end),
		"changed":      ours.open(changed, time.Now()),
		"cut":          ours.open(sealed[:20], time.Now()),
		"empty":        ours.open("", time.Now()),
		"not a base64": ours.open("!", time.Now()),
	} {
		if who != nil {
			t.Errorf("%s: it is opened", what)
		}
	}
}

func TestAKeyOfAnotherSizeIsAMistakeInTheSettings(t *testing.T) {
	t.Parallel()
	var key SealKey
	for text, good := range map[string]bool{"": false, "c2hvcnQ=": false, "?": false, strings.Repeat("A", 43) + "=": true} {
		if err := key.UnmarshalText([]byte(text)); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}
