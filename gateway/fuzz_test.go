package main

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// unlimited switches off limits and retries: all requests come from one address, and a failure should show at once.
func unlimited(cfg *config) {
	cfg.Limits.PerAddress, cfg.Limits.PerCaller, cfg.Upstream.Retries = 0, 0, -1
}

// Whatever bytes arrive, each answer is a success, our problem, or the refusal in plain text with which net/http ends a
// connection that is not HTTP. None is an internal error, and the next client is served normally.
func FuzzConnection(f *testing.F) {
	for _, raw := range []string{
		"GET / HTTP/1.1\r\nHost: shop\r\n\r\nGET /api/orders HTTP/1.1\r\nHost: shop\r\n\r\n",
		"GET http://xn--%C3%A9/ HTTP/1.1\r\nHost: shop\r\n\r\n", // once opened the breaker to bff-web for all clients
		"POST /cart HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
		"POST /cart HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nab",
		"POST /oauth/token HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nclient_id",
		"HEAD /api/products/A%20B HTTP/1.1\r\nHost: a\r\nConnection: close, X-Request-Id\r\nAccept: text/event-stream\r\n\r\n",
		"GET /orders HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAA\r\nTrailer: Host\r\nExpect: 100-continue\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		f.Add([]byte(raw))
	}
	gateway := newFixture(f, unlimited)
	address := strings.TrimPrefix(gateway.url, "http://")
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(50 * time.Millisecond)) // an incomplete request gets no answer for a long time
		go c.Write(raw)                                      // answers may come before the last byte is written
		for answers := bufio.NewReader(c); ; {
			a, err := http.ReadResponse(answers, nil)
			if err != nil {
				break
			}
			body, _ := io.ReadAll(a.Body) // fails for HEAD, whose answer has no body
			media := a.Header.Get("Content-Type")
			byUs := a.Header.Get("X-Request-Id") != ""
			switch {
			case byUs && (a.StatusCode >= 500 || a.StatusCode >= 400 && media != web.ProblemType && !strings.HasPrefix(media, "application/json")):
				t.Errorf("%s, %s: %s", a.Status, media, body)
			case !byUs && a.StatusCode >= 400 && !strings.HasPrefix(media, "text/plain"):
				t.Errorf("of net/http: %s, %s: %s", a.Status, media, body)
			}
		}
		a, err := http.Get(gateway.url)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != http.StatusOK {
			t.Errorf("the next client gets %s", a.Status)
		}
	})
}

// A path must mean the same to the gateway, which authorises the request by it, and to the upstream, which acts on it.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/", "/api/orders/1/tracking", "/api/products/MUG%2DBLUE/image", "/api/operations/dead-letters/orders.1/replay", "/api/orders/%74racking", "/caf%c3%a9", "/a%3Fb%23",
		"/api/products/a%2fstock", "/api/products/a%5cb", "/api/../metrics", "/%6detrics", "//api", "/api/orders/:id", "/api/orders/*", "/a;b=c", "/api/products/%00", "/orders/%252F",
	} {
		f.Add(path)
	}
	var passed *http.Request
	var pattern string
	g := newFixture(f, unlimited).gateway
	behind := echo.New()
	for _, res := range g.table {
		for method := range res.methods {
			res.methods[method] = func(c echo.Context) error { passed, pattern = c.Request(), c.Path(); return nil }
			behind.Add(method, echoPattern(res.pattern), func(echo.Context) error { return nil })
		}
	}
	front := g.server(web.Config{Log: g.log})
	f.Fuzz(func(t *testing.T, path string) {
		for _, method := range []string{"GET", "POST"} {
			r := incoming(method, path)
			if r == nil {
				return // net/http refuses it
			}
			passed = nil
			front.ServeHTTP(httptest.NewRecorder(), r)
			if passed == nil {
				continue
			}
			there := incoming(method, passed.URL.RequestURI())
			if there == nil || there.URL.Path != passed.URL.Path || echo.GetPath(there) != passed.URL.Path || there.URL.RawQuery != passed.URL.RawQuery {
				t.Fatalf("%q is %q here and %+v there", path, passed.URL.Path, there)
			}
			c := behind.NewContext(there, nil)
			behind.Router().Find(method, echo.GetPath(there), c)
			if c.Path() != echoPattern(pattern) {
				t.Errorf("%s %q is %s here and %s there", method, path, pattern, c.Path())
			}
			if again := incoming(method, there.URL.RequestURI()); again.URL.RequestURI() != there.URL.RequestURI() {
				t.Errorf("%q is written in two ways", path)
			}
		}
	})
}

func incoming(method, target string) *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: shop\r\n\r\n")))
	if err != nil || r.RequestURI != target || r.URL.Path == "" {
		return nil
	}
	return r
}

// echoPattern returns a pattern of ours in echo's notation.
func echoPattern(pattern string) string {
	if before, _, all := strings.Cut(pattern, "{page"); all {
		return before + "*"
	}
	return strings.NewReplacer("{", ":", "}", "").Replace(pattern)
}

// A token is given only for the right secret, with no more scopes than the client has. Refusals are OAuth errors.
func FuzzTokenForm(f *testing.F) {
	good := form("grant_type", "client_credentials", "client_id", "alice", "client_secret", "demo")
	f.Add(echo.MIMEApplicationForm, "", good)
	f.Add(echo.MIMEApplicationForm+"; charset=UTF-8", "", good+"&scope=orders+orders")
	f.Add(echo.MIMEApplicationForm, basic("olga", "d%65mo"), "grant_type=client_credentials")
	f.Add(echo.MIMEApplicationForm, basic("alice", "demo"), good)
	f.Add(echo.MIMEApplicationForm, "", good+"&client_id=olga")
	f.Add("application/json", "", `{}`)
	f.Add(echo.MIMEApplicationForm, "Basic !", "%zz;")
	gateway := newFixture(f, unlimited).gateway
	front := gateway.server(web.Config{Log: gateway.log})
	f.Fuzz(func(t *testing.T, media, authorization, body string) {
		r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader(body))
		r.Header.Set("Content-Type", media)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		front.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			var refused oauthError
			if err := json.Unmarshal(w.Body.Bytes(), &refused); err != nil || w.Code >= 500 || refused.Code == "" && w.Code != http.StatusRequestEntityTooLarge {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			return
		}
		var granted grant
		if err := json.Unmarshal(w.Body.Bytes(), &granted); err != nil {
			t.Fatal(err)
		}
		values, _ := url.ParseQuery(body)
		id, secret := values.Get("client_id"), values.Get("client_secret")
		if name, password, ok := r.BasicAuth(); ok {
			id, _ = url.QueryUnescape(name)
			secret, _ = url.QueryUnescape(password)
		}
		caller, err := gateway.verifier.Verify(t.Context(), granted.AccessToken)
		if secret != "demo" || err != nil || caller.ID != id || !within(caller.Scopes, demoClients[id]) || !slices.Equal(caller.Scopes, strings.Fields(granted.Scope)) {
			t.Errorf("%q with %q got %+v, %v", id, secret, caller, err)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Error("a token may be kept")
		}
	})
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// A copy is never fresh for longer than its source allows, and never served to all clients if its source forbids that. A client
// gets 304 only if it has named the tag of the copy.
func FuzzCache(f *testing.F) {
	f.Add("public, max-age=60", "5", `"a"`, `W/"a", "b"`)
	f.Add("max-age=1, s-maxage=0, no-cache", "", "", "*")
	f.Add("private", "-1", `W/"a"`, `"b"`)
	f.Add(`MAX-AGE="3600"`, "9223372036854775807", `""`, "")
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, control, age, tag, theirs string) {
		answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}
		for name, value := range map[string]string{"Cache-Control": control, "Age": age, "Etag": tag} {
			answer.Header.Set(name, value)
		}
		a, err := read(answer, now)
		if err != nil {
			t.Fatal(err)
		}
		lower := strings.ToLower(control)
		const year = 365 * 24 * time.Hour
		if a.fresh < 0 || a.fresh > year || a.fresh > 0 && !strings.Contains(lower, "max") || a.ttl(now) > a.fresh || a.ttl(now.Add(a.fresh)) > 0 || a.age(now) < 0 {
			t.Errorf("%q of age %q is fresh for %s, at its end for %s", control, age, a.ttl(now), a.ttl(now.Add(a.fresh)))
		}
		if a.storable() && slices.ContainsFunc(strings.Split(lower, ","), func(d string) bool { d = strings.TrimSpace(d); return d == "private" || d == "no-store" }) {
			t.Errorf("%q is kept", control)
		}
		if a.has(theirs) && (tag == "" || !strings.Contains(theirs, strings.TrimPrefix(tag, "W/")) && !strings.Contains(theirs, "*")) {
			t.Errorf("%q names %q", theirs, tag)
		}
		if validated := a.validated(a); validated.fresh != a.fresh || !maps.EqualFunc(validated.header, a.header, slices.Equal) {
			t.Errorf("confirmed, %+v is %+v", a, validated)
		}
	})
}

// All notations of an address are one client, and so are all addresses of an IPv6 network.
func FuzzNetwork(f *testing.F) {
	for _, address := range []string{"203.0.113.9", "::ffff:203.0.113.9", "2001:db8::1", "fe80::1%eth0", "::ffff:203.0.113.9%a", "nonsense", ""} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		n, again := network(address), network(network(address))
		switch a, err := netip.ParseAddr(address); {
		case err != nil:
			if n != address {
				t.Errorf("%q is %q", address, n)
			}
		case a.Unmap().Is4():
			if n != a.Unmap().String() || n != again {
				t.Errorf("%q is %q and then %q", address, n, again)
			}
		default:
			if p, err := netip.ParsePrefix(n); err != nil || p.Bits() != 64 || !p.Contains(a.WithZone("")) || n != network(a.WithZone("").StringExpanded()) {
				t.Errorf("%q is %q, %v", address, n, err)
			}
		}
	})
}
