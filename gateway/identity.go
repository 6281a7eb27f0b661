package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

const tokenLife = time.Hour

// demoClients are the clients that can get a token, and their scopes.
var demoClients = map[string][]string{
	"alice": {identity.ScopeOrders},
	"bob":   {identity.ScopeOrders},
	"olga":  {identity.ScopeOrders, identity.ScopeOperations},
	"carl":  {identity.ScopeParcels},
}

// demoIdentity issues tokens by the client credentials grant (RFC 6749, 4.4). It is for trying the system out: all clients
// share one secret.
type demoIdentity struct {
	issuer *identity.Issuer
	secret [sha256.Size]byte // its hash, so that the comparison takes the same time for every length
}

// identify decides which tokens are accepted: our own, which are verified without a request, or those of an identity provider.
func (g *gateway) identify(cfg config) error {
	switch {
	case cfg.OIDCIssuer != "" && cfg.DemoIdentity:
		return errors.New("DEMO_IDENTITY and OIDC_ISSUER exclude each other")
	case !cfg.DemoIdentity && cfg.OIDCIssuer == "" && cfg.JWKSURL == "":
		return errors.New("set DEMO_IDENTITY=true, OIDC_ISSUER or JWKS_URL")
	case !cfg.DemoIdentity:
		g.verifier = identity.Trust{OIDCIssuer: cfg.OIDCIssuer, JWKSURL: cfg.JWKSURL, TokenIssuer: cfg.TokenIssuer, TokenAudience: cfg.TokenAudience}.Verifier(g.log)
		return nil
	}
	key := cfg.IdentityKey
	if key == nil {
		key = make([]byte, ed25519.SeedSize)
		_, _ = rand.Read(key) // never fails
		g.log.Warn("IDENTITY_KEY is not set: tokens end with this process, and other replicas do not know them")
	}
	issuer, err := identity.NewIssuer(key, cfg.TokenIssuer, cfg.TokenAudience)
	if err != nil {
		return err
	}
	g.demo = &demoIdentity{issuer, sha256.Sum256([]byte(cfg.DemoSecret))}
	g.verifier = issuer.Verifier()
	return nil
}

func (g *gateway) getKeys(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=60")
	return c.JSON(http.StatusOK, g.demo.issuer.JWKS())
}

func (g *gateway) postToken(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	body, err := web.Body(c)
	if err != nil {
		return err
	}
	granted, err := g.demo.grant(c.Request(), string(body))
	if refused, ok := errors.AsType[*oauthError](err); ok {
		if refused.status == http.StatusUnauthorized {
			c.Response().Header().Set("WWW-Authenticate", `Basic realm="orderflow"`)
		}
		return c.JSON(refused.status, refused)
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, granted)
}

// oauthError is an error in the format of OAuth (RFC 6749, 5.2), which every client library knows, instead of a problem.
type oauthError struct {
	status int
	Code   string `json:"error"`
	Detail string `json:"error_description"`
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Detail }

func invalidRequest(detail string) error {
	return &oauthError{http.StatusBadRequest, "invalid_request", detail}
}

type grant struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
}

func (d *demoIdentity) grant(r *http.Request, body string) (*grant, error) {
	form, err := readForm(r, body)
	if err != nil {
		return nil, err
	}
	id, secret, err := credentials(r, form)
	if err != nil {
		return nil, err
	}
	scopes, known := demoClients[id]
	hash := sha256.Sum256([]byte(secret))
	if same := subtle.ConstantTimeCompare(hash[:], d.secret[:]) == 1; !known || !same {
		return nil, &oauthError{http.StatusUnauthorized, "invalid_client", "no such client, or another secret"}
	}
	switch form.Get("grant_type") {
	case "client_credentials":
	case "":
		return nil, invalidRequest("grant_type is missing")
	default:
		return nil, &oauthError{http.StatusBadRequest, "unsupported_grant_type", "grant_type must be client_credentials"}
	}
	if wanted := strings.Fields(form.Get("scope")); len(wanted) > 0 {
		if slices.ContainsFunc(wanted, func(s string) bool { return !slices.Contains(scopes, s) }) {
			return nil, &oauthError{http.StatusBadRequest, "invalid_scope", "the client may have: " + strings.Join(scopes, " ")}
		}
		scopes = wanted
	}
	token, err := d.issuer.Token(id, scopes, tokenLife)
	if err != nil {
		return nil, fmt.Errorf("sign a token: %w", err)
	}
	return &grant{token, "Bearer", int(tokenLife.Seconds()), strings.Join(scopes, " ")}, nil
}

func readForm(r *http.Request, body string) (url.Values, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType)); err != nil || media != echo.MIMEApplicationForm {
		return nil, invalidRequest("Content-Type must be " + echo.MIMEApplicationForm)
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, invalidRequest("the body is not a form")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, invalidRequest(name + " is given more than once")
		}
	}
	return form, nil
}

// credentials reads the client's id and secret from the form, or from Basic authentication, where they are encoded as in a form
// (RFC 6749, 2.3.1). Using both is an error.
func credentials(r *http.Request, form url.Values) (id, secret string, err error) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		return form.Get("client_id"), form.Get("client_secret"), nil
	}
	if form.Has("client_secret") {
		return "", "", invalidRequest("credentials are given both in the form and in Authorization")
	}
	id, err = url.QueryUnescape(id)
	if err == nil {
		secret, err = url.QueryUnescape(secret)
	}
	if err != nil {
		return "", "", invalidRequest("the credentials are not encoded like a form's")
	}
	return id, secret, nil
}
