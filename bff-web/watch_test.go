package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"example.com/orderflow/pkg/bus"
)

func TestTheBackstageIsAPictureThatNeedsNoScript(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("orders", has(map[string]http.HandlerFunc{"/readyz": says(200, `{"status":"ready","rabbitmq_connected":true}`), "/metrics": says(200, metrics)}))
	f.services["payments"].Close()
	page := f.as("olga").loads(200, "/backstage",
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
	f := newFixture(t)
	f.site.lookout.tap = func(func([]bus.Passage)) func() { return func() {} }
	page := f.as("olga").loads(200, "/backstage")
	for key := range f.site.lookout.now {
		elsewhere := strings.HasSuffix(key, ".database") || strings.HasSuffix(key, ".breaker")
		if !elsewhere && !strings.HasPrefix(key, ">") && !strings.Contains(page, `="`+key+`"`) {
			t.Errorf("nothing shows %s", key)
		}
	}
}

func TestTheBackstageIsForOperators(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.as("alice").loads(403, "/backstage")
	if answer, _ := f.stranger().send(http.MethodGet, "/backstage", nil); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("a stranger: %s", answer.Status)
	}
	for who, want := range map[*browser]int{f.stranger(): 401, f.as("alice"): 403} {
		who.headers["Accept"] = "text/event-stream"
		if answer, _ := who.send(http.MethodGet, "/backstage/live", nil); answer.StatusCode != want {
			t.Errorf("the stream: %s, want %d", answer.Status, want)
		}
	}
	f.site.lookout.mu.Lock()
	defer f.site.lookout.mu.Unlock()
	if f.site.lookout.stop != nil {
		t.Error("somebody who may not look has started the collection")
	}
}

func TestTheStreamOfTheBackstageBeginsWithEverythingAndEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	name := f.cookie(sessionCookie)
	r := f.stream("/backstage/live", "Cookie", name+"="+f.as("olga").cookies[name])
	r.reads("event: beat")
	r.reads(`"summary":`)
	f.services["payments"].Close()
	r.reads(`"payments.why":"no answer for `)
	if n := f.site.streams.count(); n != 1 {
		t.Errorf("%d streams are counted", n)
	}
	f.site.streams.end()
	if rest := r.rest(); !strings.Contains(rest, "retry: ") {
		t.Errorf("it ends with %q", rest)
	}
	b := f.as("olga")
	b.headers["Accept"] = "text/event-stream"
	if answer, body := b.send(http.MethodGet, "/backstage/live", nil); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new one begins: %s %s", answer.Status, body)
	}
}

// The colours of messages are on the ground of the picture, and their names in these colours are on the exchanges.
func TestTheColoursOfThePictureHaveContrast(t *testing.T) {
	t.Parallel()
	light, dark := colours(t)
	css, err := files.ReadFile("static/backstage.css")
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
			if got := contrast(string(c[2]), page["card"]); got < 4.5 {
				t.Errorf("%s %s has a contrast of %.2f", c[1], c[2], got)
			}
		}
	}
}
