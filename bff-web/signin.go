package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/wire"
	"github.com/labstack/echo/v4"
)

// person is a person whom the demo identity knows. Home is the page that is theirs above all.
type person struct{ ID, Name, Role, About, Home string }

var people = []person{
	{"alice", "Alice", "Shopper", "Orders things and follows their way.", "/"},
	{"bob", "Bob", "Shopper", "Likewise. Bob does not see what Alice has ordered.", "/"},
	{"olga", "Olga", "Operator", "Sees every order, mends what is stuck, looks after the stock.", "/operations"},
	{"carl", "Carl", "Courier", "Works for the carrier: holds parcels, hands them over, delivers or loses them.", "/courier"},
}

// cast returns the people who can sign in here.
func (c config) cast() (all []person) {
	for _, p := range people {
		if c.DemoSecret != "" && (p.ID != "carl" || len(c.SimulatorURL) > 0) {
			all = append(all, p)
		}
	}
	return all
}

func (s *site) getSignIn(c echo.Context) error {
	return s.pages.render(c, http.StatusOK, "signin.html", map[string]any{
		"People": s.pages.people, "Next": local(c.QueryParam("next")), "Tabs": tabs(c, s.pages.people),
	})
}

// askToSignIn leads to the sign-in page, and from there back to the requested page or to the page with the form. The input of
// the checkout is kept.
func (s *site) askToSignIn(c echo.Context) error {
	setCookie(c, sessionCookie, "", time.Time{})
	r := c.Request()
	if r.Method == http.MethodGet {
		return seeOther(c, signInFor(r.URL.RequestURI()))
	}
	say, next := "ended", "/"
	if from, err := url.Parse(r.Referer()); err == nil { // from this site: forms of other sites are refused
		next = local(from.RequestURI())
	}
	if c.Path() == "/checkout" && s.keepDraft(c) {
		say, next = "kept", "/checkout"
	}
	return seeOther(c, withNotice(c, signInFor(next), say))
}

func signInFor(next string) string { return "/sign-in?next=" + url.QueryEscape(next) }

func (s *site) postSignIn(c echo.Context) error {
	if err := s.signIn(c, c.FormValue("who")); err != nil {
		return err
	}
	return seeOther(c, local(c.FormValue("next")))
}

// signIn makes the visitor one of the people of the demo.
func (s *site) signIn(c echo.Context, who string) error {
	if !slices.ContainsFunc(s.pages.people, func(p person) bool { return p.ID == who }) {
		return fault.New(fault.Invalid, "nobody of that name can sign in here")
	}
	token, err := s.grant(c, who)
	if err != nil {
		return err
	}
	caller, err := s.verifier.Verify(c.Request().Context(), token)
	if err != nil {
		return fault.New(fault.BadGateway, "the token is none").Because(err)
	}
	signed := session{token, caller, expiry(token)}
	sealed, err := s.sealer.seal(signed)
	if err != nil {
		return err
	}
	setCookie(c, sessionCookie, sealed, signed.Expires)
	claim(c, caller.ID)
	c.Set(visitorKey, &signed)
	return nil
}

func (s *site) postSignOut(c echo.Context) error {
	setCookie(c, sessionCookie, "", time.Time{})
	forget(c)
	return seeOther(c, withNotice(c, "/", "signed-out"))
}

// ownerCookie says to whom the cart in this browser belongs, even after the session has expired.
const ownerCookie = "orderflow_owner"

// claim gives the cart to the person who signs in: a cart without an owner is kept, one that belongs to another person is
// emptied.
func claim(c echo.Context, id string) {
	hash := sha256.Sum256([]byte(id))
	me := base64.RawURLEncoding.EncodeToString(hash[:12])
	if owner := cookieOf(c, ownerCookie); owner != "" && owner != me {
		forget(c)
	}
	setCookie(c, ownerCookie, me, time.Now().Add(cartKept))
}

// forget removes all data of a person from the browser, except the session.
func forget(c echo.Context) {
	basketOf(c).empty()
	for currency := range keysOf(c) {
		setCookie(c, keyCookie+currency, "", time.Time{})
	}
	for _, name := range []string{draftCookie, ownerCookie} {
		if cookieOf(c, name) != "" {
			setCookie(c, name, "", time.Time{})
		}
	}
}

// grant asks the gateway for a token, like any other client (RFC 6749, 4.4).
func (s *site) grant(c echo.Context, who string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {who}, "client_secret": {s.secret}}
	r, err := http.NewRequestWithContext(c.Request().Context(), http.MethodPost, "/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}
	r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationForm)
	answer, err := s.gateway.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }() // no error matters any more: the body has been read
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return "", fault.New(fault.Invalid, "the demo identity is switched off")
	case answer.StatusCode >= http.StatusInternalServerError, answer.StatusCode == http.StatusTooManyRequests:
		return "", fault.New(fault.Unavailable, "the gateway answers %s", answer.Status)
	case answer.StatusCode != http.StatusOK:
		return "", fault.New(fault.Invalid, "the gateway does not know this name and secret")
	}
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err = errors.Join(err, wire.Read(text, &granted)); err != nil {
		return "", fault.New(fault.BadGateway, "the gateway answers what cannot be read").Because(err)
	}
	return granted.AccessToken, nil
}

// expiry returns when a verified token expires. Names of claims are case-sensitive, and exp may have a fraction (RFC 7519, 2).
func expiry(token string) time.Time {
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

// local returns path if it is a path on this site, and the front page otherwise.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	return path
}
