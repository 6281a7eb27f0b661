package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"github.com/labstack/echo/v4"
)

const sessionCookie = "orderflow_session" // see cookieName

// session is the session of a person who has signed in. The browser keeps it, encrypted, so that every replica can read it and
// the browser cannot.
type session struct {
	Token   string          `json:"token"` // for the services, which verify it themselves
	Caller  identity.Caller `json:"caller"`
	Expires time.Time       `json:"expires"` // when the token expires
}

// Name is how the page greets the person.
func (s *session) Name() string { return strings.ToUpper(s.Caller.ID[:1]) + s.Caller.ID[1:] }

// Operator reports whether the person may use the console.
func (s *session) Operator() bool { return s.Caller.Has(identity.ScopeOperations) }

// Shopper reports whether the person may order.
func (s *session) Shopper() bool { return s.Caller.Has(identity.ScopeOrders) }

// Courier reports whether the person may move parcels.
func (s *session) Courier() bool { return s.Caller.Has(identity.ScopeParcels) }

const sealKeySize = 32

// sealKey is the setting with the key that encrypts sessions.
type sealKey []byte

// UnmarshalText accepts exactly the number of bytes of an AES-256 key.
func (k *sealKey) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(raw) != sealKeySize {
		return fmt.Errorf("not the base64 of %d bytes, such as `openssl rand -base64 %d` makes", sealKeySize, sealKeySize)
	}
	*k = raw
	return nil
}

// sealer encrypts sessions. It opens only values that were sealed with the same key and are unchanged.
type sealer struct{ aead cipher.AEAD }

func newSealer(key sealKey, log *slog.Logger) (sealer, error) {
	if key == nil {
		key = make(sealKey, sealKeySize)
		_, _ = rand.Read(key) // never fails
		log.Warn("SESSION_KEY is not set: sessions end with this process, and other replicas do not know them")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, fmt.Errorf("session key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

// wrap seals a value for a cookie. It cannot be opened as another cookie.
func (s sealer) wrap(cookie string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", cookie, err)
	}
	sealed := s.aead.Seal(nil, nil, text, []byte(cookie)) //nolint:gosec // G407: this AEAD makes its nonces itself
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// unwrap reads a sealed value of a cookie into v. ok is false if it was sealed with another key or for another cookie, or was
// changed.
func (s sealer) unwrap(cookie, value string, v any) (ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return false
	}
	text, err := s.aead.Open(nil, nil, sealed, []byte(cookie))
	return err == nil && json.Unmarshal(text, v) == nil
}

func (s sealer) seal(v session) (string, error) { return s.wrap(sessionCookie, v) }

// open returns the session in a cookie; nil if it is not one of ours, or has expired.
func (s sealer) open(cookie string, now time.Time) *session {
	var v session
	if !s.unwrap(sessionCookie, cookie, &v) || v.Caller.ID == "" || !now.Before(v.Expires) {
		return nil
	}
	return &v
}

const visitorKey = "visitor"

// session reads the visitor's session.
func (s *site) session(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(visitorKey, s.sealer.open(cookieOf(c, sessionCookie), time.Now()))
		return next(c)
	}
}

// visitor returns the session of the visitor; nil if they have not signed in.
func visitor(c echo.Context) *session {
	who, _ := c.Get(visitorKey).(*session)
	return who
}

// signedIn lets visitors pass who have a scope. Others are sent to the sign-in page, or refused if they have signed in.
func (s *site) signedIn(scope string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			who := visitor(c)
			switch {
			case who == nil:
				return s.askToSignIn(c)
			case !who.Caller.Has(scope):
				return fault.New(fault.Forbidden, "this needs the scope %q", scope)
			}
			return next(c)
		}
	}
}
