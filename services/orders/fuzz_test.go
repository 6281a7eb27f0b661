package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/web"
)

// A body that is accepted makes an order with the right total and with commands that their receivers accept; sent again, it
// gives the same order. A body that is refused is the client's error.
func FuzzPlacing(f *testing.F) {
	f.Add(goodOrder)
	f.Add(strings.Replace(goodOrder, "MUG-BLUE", `\u0000`, 1))
	f.Add(strings.Replace(goodOrder, `"quantity":2`, `"quantity":9223372036854775807`, 1))
	f.Add(`{"lines":[{"sku":"A","quantity":1}],"lines":[{"sku":"B"}],"LINES":null}`)
	f.Add(`{"lines":[` + strings.Repeat(`{"sku":"A","quantity":1},`, 100) + `{}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		p, err := readPlacing(body)
		if err != nil {
			switch fault.KindOf(err) {
			case fault.Malformed, fault.Invalid:
			default:
				t.Errorf("not the caller's fault: %v", err)
			}
			return
		}
		want := int64(0)
		catalogue := func(sku string) (product, bool) {
			return product{SKU: sku, Name: "a thing", Price: messages.Money{Amount: 1_000_000_000_000, Currency: "EUR"}}, true
		}
		for _, l := range p.Lines {
			want += 1_000_000_000_000 * int64(l.Quantity)
		}
		o, err := p.priced("alice", catalogue)
		if err != nil || o.Total.Amount != want || want <= 0 {
			t.Fatalf("%q costs %+v, not %d: %v", body, o.Total, want, err)
		}
		o = o.place(time.Now(), timeouts{}).order
		for _, s := range []status{placed, reserved, paid} {
			o.Status = s
			command := saga[s].command(o)
			if rules, ok := command.(messages.Validator); command.Subject() != o.ID || ok && rules.Validate() != nil {
				t.Errorf("%q makes %+v", body, command)
			}
		}
		text, err := json.Marshal(p)
		if err != nil || strings.ContainsFunc(string(text), unicode.IsControl) {
			t.Fatalf("%q is stored as %q, %v", body, text, err)
		}
		again, err := readPlacing(string(text))
		if err != nil {
			t.Fatalf("%s is refused: %v", text, err)
		}
		one, _ := fingerprint(p)
		other, _ := fingerprint(again)
		if !bytes.Equal(one, other) {
			t.Errorf("%s is another order than %q", text, body)
		}
	})
}

func readPlacing(body string) (p placing, err error) {
	r := httptest.NewRequest(http.MethodPost, "/api/orders", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if err := web.JSON(echo.New().NewContext(r, httptest.NewRecorder()), &p); err != nil {
		return p, err
	}
	err = p.check()
	return p, err
}

// Whatever a request asks for, a page has 1 to 100 orders and begins after an id; a cursor that we made gives that id.
func FuzzPage(f *testing.F) {
	const id = "0198c3a2-7f00-7000-8000-000000000001"
	f.Add("", "")
	f.Add("100", base64.RawURLEncoding.EncodeToString([]byte(id)))
	f.Add("101", "MQ")
	f.Add("-1", "")
	f.Add("", base64.RawURLEncoding.EncodeToString([]byte("{"+id+"}")))
	f.Add("+5", "\r\n")
	f.Fuzz(func(t *testing.T, limit, cursor string) {
		r := httptest.NewRequest(http.MethodGet, "/?"+url.Values{"limit": {limit}, "cursor": {cursor}}.Encode(), nil)
		n, before, err := page(echo.New().NewContext(r, nil))
		if err != nil {
			if fault.KindOf(err) != fault.Malformed {
				t.Error(err)
			}
			return
		}
		if n < 1 || n > pageMost || limit == "" && n != pageDefault || (before == "") != (cursor == "") {
			t.Errorf("limit %q, cursor %q: %d before %q", limit, cursor, n, before)
		}
		if cursor == "" {
			return
		}
		if before != uuid.MustParse(before).String() || cursor != base64.RawURLEncoding.EncodeToString([]byte(before)) {
			t.Errorf("the cursor %q, of %q, was not given out here", cursor, before)
		}
	})
}
