package backstage_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/bff-web/static"
	"example.com/orderflow/pkg/bus"
)

func TestTheBackstageIsAPictureThatNeedsNoScript(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{"/readyz": apptest.Says(200, `{"status":"ready","rabbitmq_connected":true}`), "/metrics": apptest.Says(200, apptest.Metrics)}))
	f.Services["payments"].Close()
	page := f.As("olga").Loads(200, "/backstage",
		"In trouble: ", "payments", "no answer for ", `data-text="orders.outbox">2<`, "TAP_RABBITMQ_URL", "Waiting: 2 in the outbox of orders.",
		`data-look="bus.state" data-state="away"`, `data-look="payments.state" data-state="away"`, "this program has no RABBITMQ_URL")
	if n := strings.Count(page, `role="img"`); n != 2 {
		t.Errorf("%d pictures", n)
	}
	for _, name := range []string{"data-text", "data-look", "data-d", "data-way"} { // what the script looks for
		if n := len(regexp.MustCompile(name+`="[^"]+"`).FindAllString(page, -1)); n < 20 {
			t.Errorf("%s is on the page %d times", name, n)
		}
	}
	if wrong := regexp.MustCompile(`ZgotmplZ|<no value>|%!|\bNaN\b`).FindString(page); wrong != "" {
		t.Errorf("the page has %q", wrong)
	}
	if n := len(page); n > 100<<10 {
		t.Errorf("the page has %d bytes", n)
	}
}

// Everything that a frame says has a place on the page, apart from moves and from what only one of them shows.
func TestEveryValueOfAFrameHasAPlaceOnThePage(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.App.Lookout.Tap = func(func([]bus.Passage)) func() { return func() {} }
	page := f.As("olga").Loads(200, "/backstage")
	for key := range f.App.Lookout.Now() {
		elsewhere := strings.HasSuffix(key, ".database") || strings.HasSuffix(key, ".breaker")
		if !elsewhere && !strings.HasPrefix(key, ">") && !strings.Contains(page, `="`+key+`"`) {
			t.Errorf("nothing shows %s", key)
		}
	}
}

func TestTheBackstageIsForOperators(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.As("alice").Loads(403, "/backstage")
	if answer, _ := f.Stranger().Send(http.MethodGet, "/backstage", nil); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("a stranger: %s", answer.Status)
	}
	for who, want := range map[*apptest.Browser]int{f.Stranger(): 401, f.As("alice"): 403} {
		who.Headers["Accept"] = "text/event-stream"
		if answer, _ := who.Send(http.MethodGet, "/backstage/live", nil); answer.StatusCode != want {
			t.Errorf("the stream: %s, want %d", answer.Status, want)
		}
	}
	if f.App.Lookout.Collects() {
		t.Error("somebody who may not look has started the collection")
	}
}

func TestTheStreamOfTheBackstageBeginsWithEverythingAndEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	name := f.Cookie(visitor.SessionCookie)
	r := f.Stream("/backstage/live", "Cookie", name+"="+f.As("olga").Cookies[name])
	r.Reads("event: beat")
	r.Reads(`"summary":`)
	f.Services["payments"].Close()
	r.Reads(`"payments.why":"no answer for `)
	if n := f.App.Streams.Count(); n != 1 {
		t.Errorf("%d streams are counted", n)
	}
	f.App.Streams.End()
	if rest := r.Rest(); !strings.Contains(rest, "retry: ") {
		t.Errorf("it ends with %q", rest)
	}
	b := f.As("olga")
	b.Headers["Accept"] = "text/event-stream"
	if answer, body := b.Send(http.MethodGet, "/backstage/live", nil); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new one begins: %s %s", answer.Status, body)
	}
}

// The colours of messages are on the ground of the picture, and their names in these colours are on the exchanges.
func TestTheColoursOfThePictureHaveContrast(t *testing.T) {
	t.Parallel()
	light, dark := apptest.Colours(t)
	css, err := static.Files.ReadFile("backstage.css")
	if err != nil {
		t.Fatal(err)
	}
	roots := regexp.MustCompile(`:root \{([^}]*)\}`).FindAllSubmatch(css, -1)
	if len(roots) != 2 {
		t.Fatalf("%d sets of colours", len(roots))
	}
	for i, page := range []map[string]string{light, dark} {
		found := regexp.MustCompile(`--([a-z]+): (#[0-9a-f]{6});`).FindAllSubmatch(roots[i][1], -1)
		if len(found) != 3 {
			t.Fatalf("%d colours", len(found))
		}
		for _, c := range found {
			if got := apptest.Contrast(string(c[2]), page["card"]); got < 4.5 {
				t.Errorf("%s %s has a contrast of %.2f", c[1], c[2], got)
			}
		}
	}
}
