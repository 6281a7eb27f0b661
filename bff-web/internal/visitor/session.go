// Package visitor is what the browser of a visitor keeps for us: cookies, and in one of them the session.
package visitor

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"github.com/labstack/echo/v4"
)

// ErrNoSession is the answer to a stream without a session.
var ErrNoSession = fault.New(fault.Unauthorized, "the session is over")

// SessionCookie is the name of the cookie; see cookieName.
const SessionCookie = "orderflow_session"

// Session is the session of a person who has signed in. The browser keeps it, encrypted, so that every replica can read it and
// the browser cannot.
type Session struct {
	Token   string          `json:"token"` // for the services, which verify it themselves
	Caller  identity.Caller `json:"caller"`
	Expires time.Time       `json:"expires"` // when the token expires
}

// Name is how the page greets the person.
func (s *Session) Name() string { return strings.ToUpper(s.Caller.ID[:1]) + s.Caller.ID[1:] }

// Operator reports whether the person may use the console.
func (s *Session) Operator() bool { return s.Caller.Has(identity.ScopeOperations) }

// Shopper reports whether the person may order.
func (s *Session) Shopper() bool { return s.Caller.Has(identity.ScopeOrders) }

// Courier reports whether the person may move parcels.
func (s *Session) Courier() bool { return s.Caller.Has(identity.ScopeParcels) }

const sealKeySize = 32

// SealKey is the setting with the key that encrypts sessions.
type SealKey []byte

// UnmarshalText accepts exactly the number of bytes of an AES-256 key.
func (k *SealKey) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(raw) != sealKeySize {
		return fmt.Errorf("not the base64 of %d bytes, such as `openssl rand -base64 %d` makes", sealKeySize, sealKeySize)
	}
	*k = raw
	return nil
}

// Sealer encrypts sessions. It opens only values that were sealed with the same key and are unchanged.
type Sealer struct{ aead cipher.AEAD }

// NewSealer makes a key of its own if it gets none, and says so in the log.
func NewSealer(key SealKey, log *slog.Logger) (Sealer, error) {
	if key == nil {
		key = make(SealKey, sealKeySize)
		_, _ = rand.Read(key) // never fails
		log.Warn("SESSION_KEY is not set: sessions end with this process, and other replicas do not know them")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return Sealer{}, fmt.Errorf("session key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return Sealer{aead}, err
}

// Wrap seals a value for a cookie. It cannot be opened as another cookie.
func (s Sealer) Wrap(cookie string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", cookie, err)
	}
	sealed := s.aead.Seal(nil, nil, text, []byte(cookie)) //nolint:gosec // G407: this AEAD makes its nonces itself
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Unwrap reads a sealed value of a cookie into v. ok is false if it was sealed with another key or for another cookie, or was
// changed.
func (s Sealer) Unwrap(cookie, value string, v any) (ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return false
	}
	text, err := s.aead.Open(nil, nil, sealed, []byte(cookie))
	return err == nil && json.Unmarshal(text, v) == nil
}

// Seal returns the value of the cookie for a session.
func (s Sealer) Seal(v Session) (string, error) { return s.Wrap(SessionCookie, v) }

// open returns the session in a cookie; nil if it is not one of ours, or has expired.
func (s Sealer) open(cookie string, now time.Time) *Session {
	var v Session
	if !s.Unwrap(SessionCookie, cookie, &v) || v.Caller.ID == "" || !now.Before(v.Expires) {
		return nil
	}
	return &v
}

const key = "visitor"

// Session reads the visitor's session.
func (s Sealer) Session(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(key, s.open(Cookie(c, SessionCookie), time.Now()))
		return next(c)
	}
}

// Set makes the owner of a session the visitor, for the rest of the request.
func Set(c echo.Context, who *Session) { c.Set(key, who) }

// Of returns the session of the visitor; nil if they have not signed in.
func Of(c echo.Context) *Session {
	who, _ := c.Get(key).(*Session)
	return who
}

// Expiry returns when a verified token expires. Names of claims are case-sensitive, and exp may have a fraction (RFC 7519, 2).
func Expiry(token string) time.Time {
	var claims map[string]any
	if parts := strings.Split(token, "."); len(parts) == 3 {
		text, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err = errors.Join(err, json.Unmarshal(text, &claims)); err != nil {
			return time.Time{}
		}
	}
	seconds, _ := claims["exp"].(float64)
	return time.Unix(int64(seconds), 0)
}
