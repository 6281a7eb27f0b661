package site

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/bff-web/internal/cart"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/wire"
	"github.com/labstack/echo/v4"
)

// signedIn lets visitors pass who have a scope. Others are sent to the sign-in page, or refused if they have signed in.
func (s *Site) signedIn(scope string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			who := visitor.Of(c)
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

// Person is a person whom the demo identity knows. Home is the page that is theirs above all.
type Person struct{ ID, Name, Role, About, Home string }

var people = []Person{
	{"alice", "Alice", "Shopper", "Orders things and follows their way.", "/"},
	{"bob", "Bob", "Shopper", "Likewise. Bob does not see what Alice has ordered.", "/"},
	{"olga", "Olga", "Operator", "Sees every order, mends what is stuck, looks after the stock.", "/operations"},
	{"carl", "Carl", "Courier", "Works for the carrier: holds parcels, hands them over, delivers or loses them.", "/courier"},
}

// Cast returns the people of a demonstration; the courier only where there is something to carry.
func Cast(courier bool) []Person {
	return slices.DeleteFunc(slices.Clone(people), func(p Person) bool { return p.ID == "carl" && !courier })
}

func (s *Site) getSignIn(c echo.Context) error {
	return s.Render(c, http.StatusOK, "signin.html", map[string]any{
		"People": s.People, "Next": Local(c.QueryParam("next")), "Tabs": tabs(c, s.People),
	})
}

// askToSignIn leads to the sign-in page, and from there back to the requested page or to the page with the form. The input of
// the checkout is kept.
func (s *Site) askToSignIn(c echo.Context) error {
	visitor.SetCookie(c, visitor.SessionCookie, "", time.Time{})
	r := c.Request()
	if r.Method == http.MethodGet {
		return SeeOther(c, signInFor(r.URL.RequestURI()))
	}
	say, next := "ended", "/"
	if from, err := url.Parse(r.Referer()); err == nil { // from this site: forms of other sites are refused
		next = Local(from.RequestURI())
	}
	if c.Path() == "/checkout" && cart.KeepDraft(c, s.Sealer) {
		say, next = "kept", "/checkout"
	}
	return SeeOther(c, WithNotice(c, signInFor(next), say))
}

func signInFor(next string) string { return "/sign-in?next=" + url.QueryEscape(next) }

func (s *Site) postSignIn(c echo.Context) error {
	if err := s.signIn(c, c.FormValue("who")); err != nil {
		return err
	}
	return SeeOther(c, Local(c.FormValue("next")))
}

// signIn makes the visitor one of the people of the demo.
func (s *Site) signIn(c echo.Context, who string) error {
	if !slices.ContainsFunc(s.People, func(p Person) bool { return p.ID == who }) {
		return fault.New(fault.Invalid, "nobody of that name can sign in here")
	}
	token, err := s.grant(c, who)
	if err != nil {
		return err
	}
	caller, err := s.Verifier.Verify(c.Request().Context(), token)
	if err != nil {
		return fault.New(fault.BadGateway, "the token is none").Because(err)
	}
	signed := visitor.Session{Token: token, Caller: caller, Expires: visitor.Expiry(token)}
	sealed, err := s.Sealer.Seal(signed)
	if err != nil {
		return err
	}
	visitor.SetCookie(c, visitor.SessionCookie, sealed, signed.Expires)
	cart.Claim(c, caller.ID)
	visitor.Set(c, &signed)
	return nil
}

func (s *Site) postSignOut(c echo.Context) error {
	visitor.SetCookie(c, visitor.SessionCookie, "", time.Time{})
	cart.Forget(c)
	return SeeOther(c, WithNotice(c, "/", "signed-out"))
}

// grant asks the gateway for a token, like any other client (RFC 6749, 4.4).
func (s *Site) grant(c echo.Context, who string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {who}, "client_secret": {s.Secret}}
	r, err := http.NewRequestWithContext(c.Request().Context(), http.MethodPost, "/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}
	r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationForm)
	answer, err := s.Gateway.Do(r)
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

// Local returns path if it is a path on this site, and the front page otherwise.
func Local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	return path
}
