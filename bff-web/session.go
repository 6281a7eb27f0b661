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

// session is who has signed in. It is kept by the browser, sealed, so that any replica can read it and no browser can.
type session struct {
	Token   string          `json:"token"` // what the services believe; they verify it themselves
	Caller  identity.Caller `json:"caller"`
	Expires time.Time       `json:"expires"` // as the token does
}

// Name is how a person is greeted.
func (s *session) Name() string { return strings.ToUpper(s.Caller.ID[:1]) + s.Caller.ID[1:] }

// Operator reports whether the console is for this person.
func (s *session) Operator() bool { return s.Caller.Has(identity.ScopeOperations) }

const sealKeySize = 32

// sealKey is a setting: what sessions are sealed with.
type sealKey []byte

// UnmarshalText wants exactly the bytes of an AES-256 key.
func (k *sealKey) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(raw) != sealKeySize {
		return fmt.Errorf("not the base64 of %d bytes, such as `openssl rand -base64 %d` makes", sealKeySize, sealKeySize)
	}
	*k = raw
	return nil
}

// sealer encrypts sessions, and opens only what was sealed with the same key and not changed since.
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

// wrap seals a value for a cookie. With another cookie's name it cannot be opened.
func (s sealer) wrap(cookie string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", cookie, err)
	}
	sealed := s.aead.Seal(nil, nil, text, []byte(cookie)) //nolint:gosec // G407: this AEAD makes its nonces itself
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// unwrap reads what was sealed for a cookie into v. ok is false when it was sealed with another key, or tampered with.
func (s sealer) unwrap(cookie, value string, v any) (ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return false
	}
	text, err := s.aead.Open(nil, nil, sealed, []byte(cookie))
	return err == nil && json.Unmarshal(text, v) == nil
}

func (s sealer) seal(v session) (string, error) { return s.wrap(sessionCookie, v) }

// open returns the session in a cookie, or nil: it is none of ours, or is over.
func (s sealer) open(cookie string, now time.Time) *session {
	var v session
	if !s.unwrap(sessionCookie, cookie, &v) || v.Caller.ID == "" || !now.Before(v.Expires) {
		return nil
	}
	return &v
}

const visitorKey = "visitor"

// session finds out who is asking for a page.
func (s *site) session(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(visitorKey, s.sealer.open(cookieOf(c, sessionCookie), time.Now()))
		return next(c)
	}
}

// visitor is who has signed in; nil for a stranger.
func visitor(c echo.Context) *session {
	who, _ := c.Get(visitorKey).(*session)
	return who
}

// signedIn lets those pass who may do what a scope is for. Strangers are asked who they are.
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
