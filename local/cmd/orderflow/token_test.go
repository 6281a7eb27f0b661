package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"example.com/orderflow/local/system"
)

// printed returns what f prints on standard output.
func printed(t *testing.T, f func() error) (string, error) {
	t.Helper()
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdout
	os.Stdout = to
	err = f()
	os.Stdout = before
	to.Close()
	text, _ := io.ReadAll(from)
	return string(text), err
}

func TestATokenIsPrintedAndEveryMistakeIsNamed(t *testing.T) {
	t.Setenv("DEMO_SECRET", "")
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.FormValue("client_id") != "alice" || r.FormValue("client_secret") != "demo":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
		default:
			_, _ = io.WriteString(w, `{"access_token":"a.b.c","expires_in":3600}`)
		}
	}))
	defer gateway.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	defer closed.Close()
	silent := httptest.NewServer(nil)
	silent.Close()
	port := func(s *httptest.Server) int {
		u, _ := url.Parse(s.URL)
		n, err := strconv.Atoi(u.Port())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	at := func(s *httptest.Server) settings { return settings{dir: t.TempDir(), gatewayPort: port(s)} }
	supervised := at(silent)
	d, err := openDesk(t.Context(), supervised.dir, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	d.serve(&system.System{GatewayURL: gateway.URL})

	for what, c := range map[string]struct {
		settings
		args        []string
		prints, err string
	}{
		"a demo or containers, at the port":      {at(gateway), []string{"alice"}, "a.b.c\n", ""},
		"a system that up has started elsewhere": {supervised, []string{"alice"}, "a.b.c\n", ""},
		"a name that is not known":               {at(gateway), []string{"mallory"}, "", `no token to "mallory": there are alice, bob, olga and carl`},
		"no name":                                {at(gateway), []string{""}, "", "token of whom?"},
		"nothing runs":                           {at(silent), []string{"alice"}, "", "there is no gateway at http://localhost:"},
		"no demo identity":                       {at(closed), []string{"alice"}, "", "has no demo identity"},
	} {
		got, err := printed(t, func() error { return token(t.Context(), c.settings, c.args) })
		if got != c.prints || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: prints %q, error %v", what, got, err)
		}
	}
}
