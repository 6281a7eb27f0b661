package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// A body that is read is one JSON value and nothing else. When a body is refused it is the caller's fault, and the error is
// short enough for a person to read.
func FuzzJSON(f *testing.F) {
	for _, body := range []string{
		`{"name":"a","count":1}`, `{"name":1}`, `{"nome":"a"}`, `{} {}`, `[`, "\xff", `null`, `{"name":"\ud800"}`, `{"count":1e99}`,
		`{"count":1,"Count":9}`, `{"count":1,"count":9}`, `{"NAME":"a"}`, `{"name":"\udc00\ud800"}`, `{"4111111111111111":1}`,
		`{"count":` + strings.Repeat("9", 5000) + `}`, `{"` + strings.Repeat(`\u0000`, 5000) + `":1}`,
	} {
		f.Add("application/json", body)
	}
	f.Add("application/json; charset=utf-8", `{}`)
	f.Add("text/plain;;", `{}`)
	f.Fuzz(func(t *testing.T, media, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", media)
		var v struct {
			Name  string `json:"name"`
			Count int    `json:"count"`
		}
		err := web.JSON(echo.New().NewContext(r, httptest.NewRecorder()), &v)
		if err == nil {
			for _, name := range []string{"count", "name"} {
				if plain := !strings.Contains(body, `\`); plain && strings.Count(strings.ToLower(body), `"`+name+`":`) > 1 {
					t.Errorf("%q is %+v", body, v)
				}
			}
			if !utf8.ValidString(body) || strings.Count(body, "{") == 0 && strings.TrimSpace(body) != "null" {
				t.Errorf("%q is %+v", body, v)
			}
			return
		}
		switch kind := fault.KindOf(err); kind {
		case fault.Malformed, fault.Unsupported, fault.Invalid:
		default:
			t.Errorf("the error is %s: %v", kind, err)
		}
		if len(err.Error()) > 500 {
			t.Errorf("%d bytes of error for %d of body", len(err.Error()), len(body))
		}
	})
}

// A text that passes has an allowed length, can be stored, logged and shown, and passes again unchanged.
func FuzzText(f *testing.F) {
	for _, text := range []string{"Alice", " Alice\u00a0", "", "\u200b", "\x00", "é\u0301", "a\u0085b", "\u202e", "\xff", "4111 1111 1111 1111", strings.Repeat("😀", 20)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var fields fault.Fields
		kept := web.Text(&fields, "text", text, 1, 20)
		if len(fields) > 0 {
			return
		}
		if n := utf8.RuneCountInString(kept); !utf8.ValidString(kept) || n < 1 || n > 20 || strings.TrimSpace(kept) != kept || strings.ContainsFunc(kept, unicode.IsControl) || !strings.ContainsFunc(kept, unicode.IsGraphic) {
			t.Errorf("%q passes as %q", text, kept)
		}
		if again := web.Text(&fields, "text", kept, 1, 20); again != kept || len(fields) > 0 {
			t.Errorf("%q is kept as %q, and that as %q: %v", text, kept, again, fields)
		}
	})
}

// A key is short and plain, and the same in quotes and without them. There is only one.
func FuzzIdempotencyKey(f *testing.F) {
	f.Add("k1", "")
	f.Add(`"k1"`, "")
	f.Add(`"`, "")
	f.Add("", "k2")
	f.Add("k1", "k2")
	f.Fuzz(func(t *testing.T, first, second string) {
		read := func(values ...string) (string, error) {
			return web.IdempotencyKey(&http.Request{Header: http.Header{"Idempotency-Key": values}})
		}
		key, err := read(first)
		if err != nil {
			if fault.KindOf(err) != fault.Malformed {
				t.Error(err)
			}
			return
		}
		if key == "" || len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q is the key %q", first, key)
		}
		if quoted, err := read(`"` + key + `"`); err != nil || quoted != key {
			t.Errorf("in quotes, %q is %q, %v", key, quoted, err)
		}
		if _, err := read(first, second); err == nil {
			t.Errorf("%q and %q are both the key", first, second)
		}
	})
}

// A client's address is taken only from those in front of us that are trusted: never from a stranger, and from a proxy only
// the address before its own.
func FuzzClientIP(f *testing.F) {
	f.Add("198.51.100.1:1", "203.0.113.9")
	f.Add("10.0.0.1:1", "10.9.9.9, 203.0.113.9")
	f.Add("10.0.0.1:1", "203.0.113.9, 10.0.0.2 ,::ffff:10.0.0.3")
	f.Add("[::ffff:10.0.0.1]:1", "fe80::1%a, <script>")
	f.Add("@", ",,")
	proxies := web.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	trusted := func(address string) bool {
		a, err := netip.ParseAddr(address)
		return err == nil && a.Unmap().Is4() && a.Unmap().As4()[0] == 10
	}
	f.Fuzz(func(t *testing.T, peer, via string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {via}}}
		alone := proxies.ClientIP(&http.Request{RemoteAddr: peer})
		got := proxies.ClientIP(r)
		if got == alone {
			return
		}
		i := strings.LastIndex(via, got)
		_, err := netip.ParseAddr(got)
		if !trusted(alone) || i < 0 || err != nil {
			t.Fatalf("%s says %q and is taken for %q", peer, via, got)
		}
		for hop := range strings.SplitSeq(via[i+len(got):], ",") {
			if hop = strings.TrimSpace(hop); hop != "" && !trusted(hop) {
				t.Errorf("%s says %q and is taken for %q, past %q", peer, via, got, hop)
			}
		}
	})
}
