package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/pkg/identity"
	"github.com/caarlos0/env/v11"
)

const formType = "application/x-www-form-urlencoded"

func TestADemoClientGetsATokenThatEveryServiceCanVerify(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for id, scope := range map[string]string{"alice": "orders", "bob": "orders", "olga": "orders operations"} {
		a := f.call("POST", "/oauth/token", form("grant_type", "client_credentials", "client_id", id, "client_secret", "demo"), "Content-Type", formType)
		var granted grant
		if err := json.Unmarshal([]byte(a.body), &granted); err != nil || a.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %s, error %v", id, a.Status, a.body, err)
		}
		if granted.TokenType != "Bearer" || granted.ExpiresIn != 3600 || granted.Scope != scope || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s with %v", id, a.body, a.Header)
		}
		elsewhere := identity.NewVerifier(f.url+"/.well-known/jwks.json", "orderflow", "orderflow", slog.New(slog.DiscardHandler))
		caller, err := elsewhere.Verify(t.Context(), granted.AccessToken)
		if err != nil || caller.ID != id || strings.Join(caller.Scopes, " ") != scope {
			t.Errorf("%s: a service sees %+v, error %v", id, caller, err)
		}
	}
}

func TestTokenErrorsAreThoseOfOAuth(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	good := []string{"grant_type", "client_credentials", "client_id", "alice", "client_secret", "demo"}
	with := func(more ...string) string { return form(append(slices.Clip(good), more...)...) }
	grantOnly := form("grant_type", "client_credentials")
	for name, test := range map[string]struct {
		body, media, authorization string
		status                     int
		code                       string
	}{
		"good":                         {with(), formType, "", 200, ""},
		"with a charset":               {with(), formType + "; charset=utf-8", "", 200, ""},
		"with Basic authentication":    {grantOnly, formType, basic("alice", "demo"), 200, ""},
		"with an encoded Basic secret": {grantOnly, formType, basic("al%69ce", "dem%6F"), 200, ""},
		"with Basic and the same id":   {form("grant_type", "client_credentials", "client_id", "alice"), formType, basic("alice", "demo"), 200, ""},
		"a scope that it has":          {with("scope", "orders"), formType, "", 200, ""},
		"a scope that it lacks":        {with("scope", "orders operations"), formType, "", 400, "invalid_scope"},
		"another secret":               {form("grant_type", "client_credentials", "client_id", "alice", "client_secret", "Demo"), formType, "", 401, "invalid_client"},
		"no secret":                    {form("grant_type", "client_credentials", "client_id", "alice"), formType, "", 401, "invalid_client"},
		"another client":               {form("grant_type", "client_credentials", "client_id", "eve", "client_secret", "demo"), formType, "", 401, "invalid_client"},
		"no client":                    {grantOnly, formType, "", 401, "invalid_client"},
		"another Basic secret":         {grantOnly, formType, basic("alice", "x"), 401, "invalid_client"},
		"a Basic secret badly encoded": {grantOnly, formType, basic("alice", "%zz"), 400, "invalid_request"},
		"credentials twice":            {with(), formType, basic("alice", "demo"), 400, "invalid_request"},
		"another grant":                {form("grant_type", "password", "client_id", "alice", "client_secret", "demo"), formType, "", 400, "unsupported_grant_type"},
		"no grant":                     {form("client_id", "alice", "client_secret", "demo"), formType, "", 400, "invalid_request"},
		"a grant twice":                {with("grant_type", "client_credentials"), formType, "", 400, "invalid_request"},
		"JSON":                         {`{"grant_type":"client_credentials"}`, "application/json", "", 400, "invalid_request"},
		"no form":                      {"%zz", formType, "", 400, "invalid_request"},
		"nothing":                      {"", "", "", 400, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := []string{"Content-Type", test.media}
			if test.authorization != "" {
				headers = append(headers, "Authorization", test.authorization)
			}
			a := f.call("POST", "/oauth/token", test.body, headers...)
			var answer struct {
				Error string `json:"error"`
				Token string `json:"access_token"`
			}
			if err := json.Unmarshal([]byte(a.body), &answer); err != nil || a.StatusCode != test.status || answer.Error != test.code {
				t.Errorf("%s %s, error %v", a.Status, a.body, err)
			}
			if (answer.Token != "") != (test.status == 200) || a.Header.Get("Cache-Control") != "no-store" ||
				(a.Header.Get("WWW-Authenticate") != "") != (test.status == 401) {
				t.Errorf("%s with %v", a.body, a.Header)
			}
		})
	}
	if a := f.call("POST", "/oauth/token?"+with(), "", "Content-Type", formType); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("credentials in the URL: %s", a.Status)
	}
	if a := f.call("GET", "/oauth/token", ""); a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "OPTIONS, POST" {
		t.Errorf("GET: %s, Allow %q", a.Status, a.Header.Get("Allow"))
	}
}

func TestWithoutTheDemoIdentityThereIsNoTokenEndpoint(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.config.DemoIdentity, f.config.JWKSURL = false, f.url+"/.well-known/jwks.json"
	f.serve(f.config)
	for _, path := range []string{"/oauth/token", "/.well-known/jwks.json"} {
		f.call("POST", path, "").problem(t)
		if a := f.call("GET", path, ""); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
	if a := f.call("GET", "/api/orders", "", "Authorization", f.bearer("alice", "orders")); a.StatusCode != http.StatusOK {
		t.Errorf("a token of the other identity provider: %s %s", a.Status, a.body)
	}
}

func TestAGatewayWithoutAnyIdentityDoesNotStart(t *testing.T) {
	t.Parallel()
	for _, cfg := range []config{{}, {DemoIdentity: true, OIDCIssuer: "https://id.example"}} {
		if _, err := newGateway(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "DEMO_IDENTITY") {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestSettingsAreCheckedAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := env.ParseAsWithOptions[config](env.Options{Environment: map[string]string{
		"IDENTITY_KEY": "c2hvcnQ=", "SERVICES": "orders=localhost:8082", "DEMO_IDENTITY": "maybe", "UPSTREAM_TIMEOUT": "soon",
	}})
	for _, field := range []string{"IdentityKey", "Services", "DemoIdentity", "Timeout"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("nothing about %s in: %v", field, err)
		}
	}
	f := newFixture(t)
	f.config.IdentityKey = nil
	if g, err := newGateway(f.config, slog.New(slog.DiscardHandler)); err != nil || g.demo == nil {
		t.Errorf("a gateway with a key of its own: %v", err)
	}
}
