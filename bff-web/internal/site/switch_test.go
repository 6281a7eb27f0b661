package site_test

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
)

func TestSomebodyElseStaysOnThePageIfTheyMaySeeIt(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.CarrierSays(200, apptest.OnTheWay)
	for _, test := range []struct {
		who, at, ends string
	}{
		{"alice", "/cart", "/cart"},
		{"alice", "/?q=mug", "/?q=mug"},
		{"alice", "/operations", "/"},
		{"alice", "/courier", "/"},
		{"alice", "/orders/o-9", "/"}, // of somebody else
		{"olga", "/operations/stock", "/operations/stock"},
		{"olga", "/courier", "/operations"},
		{"carl", "/checkout", "/courier"},
		{"carl", "/", "/"},
		{"carl", "https://elsewhere.example/", "/"},
	} {
		f.GatewayKnows(test.who, map[string][]string{"alice": {"orders"}, "olga": {"orders", "operations"}, "carl": {"parcels"}}[test.who]...)
		f.Answer("orders", apptest.Says(404, `{}`))
		b := f.As("bob")
		start := test.at
		if strings.HasPrefix(start, "https") {
			start = "/"
		}
		b.Posts("/switch", start, "who", test.who, "next", test.at)
		answer, page := b.Send(http.MethodGet, start, nil)
		if start != test.ends {
			if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != test.ends {
				t.Errorf("%s at %s: %s to %q", test.who, test.at, answer.Status, answer.Header.Get("Location"))
				continue
			}
			answer, page = b.Send(http.MethodGet, test.ends, nil)
		}
		name := strings.ToUpper(test.who[:1]) + test.who[1:]
		if answer.StatusCode != http.StatusOK || !strings.Contains(page, "You are "+name+" now.") || !strings.Contains(page, "<span>"+name+"</span>") || strings.Contains(page, `class="plain" name="who" value="`+test.who+`"`) {
			t.Errorf("%s at %s: %s %s", test.who, test.at, answer.Status, page)
		}
	}
}

func TestAnErrorThatHasNothingToDoWithASwitchIsShown(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	b := f.As("alice")
	b.Loads(403, "/operations", "This is not for you")
	f.GatewayKnows("carl", "orders") // a courier who may not see the courier's page is not sent there for ever
	b.Posts("/switch", "/courier", "who", "carl", "next", "/courier")
	b.Loads(403, "/courier", "This is not for you")
	f.GatewayKnows("carl", "parcels")
	f.Answer("simulator", apptest.Refuses(404, `{"detail":"there is nothing here"}`))
	b.Posts("/switch", "/courier", "who", "carl", "next", "/courier")
	b.Loads(200, "/courier", "You are Carl now.", "not known")
	f.GatewayKnows("bob", "orders")
	b.Posts("/switch", "/nowhere", "who", "bob", "next", "/nowhere")
	b.Posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1", "back", "/") // its notice takes the place of the switch's
	b.Loads(404, "/nowhere", "There is nothing here")
}

func TestThereIsASwitcherOnlyInTheDemo(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Stranger().Loads(200, "/", `action="/switch"`, `value="alice"`, `value="bob"`, `value="olga"`, `value="carl"`)
	if page := f.Stranger().Loads(200, "/sign-in"); strings.Contains(page, `action="/switch"`) { // the page itself is one
		t.Error("two switchers on one page")
	}
	f = apptest.NewWithout(t, "DEMO_SECRET")
	if page := f.As("alice").Loads(200, "/"); strings.Contains(page, `action="/switch"`) {
		t.Error("a switcher without the demo identity")
	}
	if answer, _ := f.Stranger().Send(http.MethodPost, "/switch", map[string][]string{"who": {"alice"}}); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("switched: %s", answer.Status)
	}
}

func TestOnThisMachineEachPersonHasAHost(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	for host, want := range map[string]string{
		"localhost:8080":       `href="http://bob.localhost:8080/sign-in?next=%2F"`,
		"alice.localhost:8080": `href="http://bob.localhost:8080/sign-in?next=%2F"`,
		"localhost":            `href="http://carl.localhost:80/sign-in?next=%2Fcourier"`,
		"shop.example":         "",
		"evil.localhost.org":   "",
		"127.0.0.1:8080":       "",
	} {
		b := f.Stranger()
		b.Headers["X-Forwarded-Host"] = host
		page := b.Loads(200, "/sign-in")
		if want == "" && strings.Contains(page, ".localhost") || !strings.Contains(page, want) {
			t.Errorf("%s: %s", host, page)
		}
	}
}
