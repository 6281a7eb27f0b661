package console_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/console"
	"example.com/orderflow/pkg/web"
)

type listing struct {
	Items []struct {
		ID   string          `json:"id"`
		Body json.RawMessage `json:"body"`
	} `json:"items"`
	Next    string                    `json:"next_cursor"`
	Total   int                       `json:"total"`
	Groups  []console.DeadLetterGroup `json:"groups"`
	Missing []string                  `json:"missing"`
	Causes  map[string]string         `json:"causes"`
}

func list(f *apptest.Fixture, query string) listing {
	f.Helper()
	answer, body := f.Get("/api/operations/dead-letters"+query, "Authorization", f.Bearer("operations"), "X-Request-Id", "r-1")
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Cache-Control") != "no-store" {
		f.Fatalf("%s: %s", answer.Status, body)
	}
	var l listing
	if err := json.Unmarshal([]byte(body), &l); err != nil {
		f.Fatal(err)
	}
	if l.Items == nil || l.Missing == nil || l.Groups == nil || l.Causes == nil {
		f.Errorf("a list is null: %s", body)
	}
	return l
}

func ids(l listing) []string {
	all := []string{}
	for _, it := range l.Items {
		all = append(all, it.ID)
	}
	return all
}

func letters(total int, idsAndTimes ...string) http.HandlerFunc {
	items := []string{}
	for i := 0; i < len(idsAndTimes); i += 2 {
		at := ""
		if idsAndTimes[i+1] != "" {
			at = fmt.Sprintf(`"last_failed_at":%q,`, idsAndTimes[i+1])
		}
		items = append(items, fmt.Sprintf(`{"id":%q,%s"body":{"n":1.50}}`, idsAndTimes[i], at))
	}
	return apptest.Says(200, fmt.Sprintf(`{"items":[%s],"total":%d}`, strings.Join(items, ","), total))
}

func TestDeadLettersOfAllServicesAreOneList(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("orders", letters(7, "orders.1", "2026-01-01T10:00:00Z", "orders.2", ""))
	f.Answer("payments", letters(2, "payments.1", "2026-01-01T12:00:00Z", "payments.2", "2026-01-01T10:30:00+01:00"))
	f.Answer("shipping", letters(1, "shipping.1", "2026-01-01T11:00:00.5Z"))
	l := list(f, "?limit=4")
	if want := []string{"payments.1", "shipping.1", "orders.1", "payments.2"}; !slices.Equal(ids(l), want) || l.Total != 10 || len(l.Missing) != 0 {
		t.Errorf("%+v", l)
	}
	if string(l.Items[0].Body) != `{"n":1.50}` {
		t.Errorf("a body has become %s", l.Items[0].Body)
	}
	for _, s := range f.App.Services.All {
		seen := f.Asked(s.Name)
		if seen.URL.RequestURI() != "/api/operations/dead-letters?limit=4" || !strings.HasPrefix(seen.Header.Get("Authorization"), "Bearer ") || seen.Header.Get("X-Request-Id") != "r-1" {
			t.Errorf("%s was asked for %s with %v", s.Name, seen.URL, seen.Header)
		}
	}
	if l := list(f, ""); len(l.Items) != 5 || l.Items[4].ID != "orders.2" {
		t.Errorf("what has no time is not last: %q", ids(l))
	}
}

func TestAServiceThatDoesNotAnswerIsMissingFromTheList(t *testing.T) {
	t.Parallel()
	f := apptest.NewSilent(t)
	f.Services["shipping"].Close()
	f.Answer("payments", apptest.Silent)
	f.Answer("inventory", apptest.Says(200, `{"items":[{"id":7}]}`))
	f.Answer("orders", func(w http.ResponseWriter, r *http.Request) { // orders waits for payments to be asked, which shows that all are asked at the same time
		for f.Asked("payments") == nil && r.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		letters(1, "orders.1", "2026-01-01T10:00:00Z")(w, r)
	})
	l := list(f, "")
	if !slices.Equal(ids(l), []string{"orders.1"}) || !slices.Equal(l.Missing, []string{"inventory", "payments", "shipping"}) || l.Total != 1 || l.Causes["shipping"] != "shipping cannot be reached" {
		t.Errorf("%+v", l)
	}
}

// Each service sends its own page. Dead letters that one has not sent yet must not be skipped because others have sent later
// ones.
func TestDeadLettersOfAllServicesArePagedAsOneList(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	var want []string
	for i, service := range f.App.Services.All {
		var of []console.DeadLetter
		for n := range 7 * (i + 1) {
			l := console.DeadLetter{ID: fmt.Sprintf("%s.%d", service.Name, n), Failed: time.Unix(int64(1000*n+i), 0).UTC()}
			of = append(of, l)
		}
		slices.SortFunc(of, console.LatestFirst)
		for _, l := range of {
			want = append(want, l.ID)
		}
		f.Answer(service.Name, pagesOf(of, 3+i)) // fewer than asked for, as with long messages
	}
	var got []string
	for cursor := ""; ; {
		l := list(f, "?limit=6&kind=a&cursor="+cursor)
		got = append(got, ids(l)...)
		if cursor = l.Next; cursor == "" {
			break
		}
		if seen := f.Asked("orders").URL.Query(); seen.Get("kind") != "a" {
			t.Fatalf("the filter is lost: %s", seen)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d, each once: %q", len(got), len(want), got)
	}
	if answer, body := f.Get("/api/operations/dead-letters?cursor=nonsense", "Authorization", f.Bearer("operations")); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("a made-up cursor: %s %s", answer.Status, body)
	}
}

// pagesOf answers like a service that has these dead letters and sends at most the given number of them.
func pagesOf(all []console.DeadLetter, most int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from := 0
		if cursor := r.URL.Query().Get("cursor"); cursor != "" {
			text, err := base64.RawURLEncoding.DecodeString(cursor)
			at, id, _ := strings.Cut(string(text), "\x00")
			failed, bad := time.Parse(time.RFC3339Nano, at)
			if err != nil || bad != nil {
				apptest.Says(400, `{"detail":"cursor is not one that was given out here"}`)(w, r)
				return
			}
			after := console.DeadLetter{ID: id, Failed: failed}
			for from < len(all) && console.LatestFirst(all[from], after) <= 0 {
				from++
			}
		}
		items := []string{}
		next := ""
		for i, l := range all[from:] {
			if i == most {
				next = all[from+i-1].Cursor()
				break
			}
			items = append(items, fmt.Sprintf(`{"id":%q,"last_failed_at":%q}`, l.ID, l.Failed.Format(time.RFC3339Nano)))
		}
		apptest.Says(200, fmt.Sprintf(`{"items":[%s],"next_cursor":%q,"total":%d}`, strings.Join(items, ","), next, len(all)))(w, r)
	}
}

func TestThePageOfDeadLettersSaysWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("payments", apptest.Says(503, `{"detail":"RabbitMQ cannot be asked now"}`))
	b := f.As("olga")
	page := b.Loads(200, "/operations/dead-letters", "The dead letters of payments are not in this list", "not known: payments cannot answer now (noticed",
		"RabbitMQ may be away", "Whether there are any is not known")
	if strings.Contains(page, "There are none.") || strings.Contains(page, `class="good"`) {
		t.Error("it knows of three of four, and says that there are none")
	}
	f.App.Feed.Joined(true)
	f.Answer("payments", letters(0))
	b.Loads(200, "/operations/dead-letters", `<p class="good">There are none.</p>`)
	f.Answer("payments", apptest.Says(200, `{"items":[{"id":"payments.1","kind":"payments.take_payment","subject":"0198C0DE-0000-7000-8000-000000000001","reason":"rejected"},{"id":"payments.2","subject":"MUG-BLUE"}],
		"next_cursor":"abc","total":70000,"looked_at":10000,"matching":300,"groups":[{"queue":"payments.commands","kind":"payments.take_payment","reason":"delivery_limit","count":299},{"queue":"payments.events","kind":"","reason":"rejected","error":"it lacks \"id\" & …","count":1}]}`))
	b.Loads(200, "/operations/dead-letters?kind=a%26b", `href="/orders/0198c0de-0000-7000-8000-000000000001"`, "2 of 300", "There are 70000, of which 10000 were looked at", "<code>MUG-BLUE</code>",
		`href="/operations/dead-letters?kind=payments.take_payment&amp;queue=payments.commands&amp;reason=delivery_limit"`,
		`href="/operations/dead-letters?error=it&#43;lacks&#43;%22id%22&#43;%26&#43;%E2%80%A6&amp;kind=&amp;queue=payments.events&amp;reason=rejected"`, "it lacks &#34;id&#34; &amp; …", "delivery limit", `>299<`, "Older ones", "kind=a%26b", "kind a&amp;b")
}

func TestAfterSettlingADeadLetterTheSameListIsShown(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	const list = "/operations/dead-letters?kind=a%26b&cursor=abc"
	f.Answer("payments", apptest.Says(200, `{"items":[{"id":"payments.1","kind":"a&b"}],"total":1,"matching":1}`))
	b := f.As("olga")
	page := b.Loads(200, list)
	if n := strings.Count(page, `name="back" value="/operations/dead-letters?kind=a%26b&amp;cursor=abc"`); n != 3 {
		t.Errorf("%d of 3 forms lead back: %s", n, page)
	}
	for said, form := range map[string][]string{
		"back in its queue": {"/replay"}, "was thrown away": {"/discard", "reason", "sent by hand"}, "was faster": {"/replay"},
	} {
		f.Answer("payments", apptest.Says(204, ""))
		if said == "was faster" {
			f.Answer("payments", apptest.Says(404, `{"status":404}`))
		}
		b.Posts("/operations/dead-letters/payments.1"+form[0], list, append(form[1:], "back", list)...)
		f.Answer("payments", letters(0))
		b.Loads(200, list, said)
	}
	f.Answer("payments", apptest.Says(204, ""))
	b.Posts("/operations/dead-letters/payments.1/replay", "/operations/dead-letters", "back", "https://evil.example/")
}

func TestDeadLettersAreForOperators(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	for authorization, status := range map[string]int{"": 401, "Bearer x": 401, f.Bearer("orders"): 403} {
		answer, _ := f.Get("/api/operations/dead-letters", "Authorization", authorization)
		if answer.StatusCode != status || answer.Header.Get("Content-Type") != web.ProblemType {
			t.Errorf("%s", answer.Status)
		}
	}
	for _, limit := range []string{"0", "201", "x", "-1"} {
		if answer, _ := f.Get("/api/operations/dead-letters?limit="+limit, "Authorization", f.Bearer("operations")); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("limit %s: %s", limit, answer.Status)
		}
	}
	if f.Asked("orders") != nil {
		t.Error("orders was asked")
	}
}

func TestADeadLetterIsShownReplayedAndDiscarded(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("payments", apptest.Says(200, `{"items":[{"id":"payments.1","queue":"payments.commands","kind":"payments.take_payment","subject":"o-1","attempts":8,"reason":"gave up","error":"<boom>","last_failed_at":"2026-01-01T10:00:00Z","body":{"amount":1}}],"total":1}`))
	f.Services["shipping"].Close()
	b := f.As("olga")
	b.Loads(200, "/operations/dead-letters", "payments.take_payment", "&lt;boom&gt;", "gave up, after 8 attempts", "&#34;amount&#34;: 1", "The dead letters of shipping are not in this list", `action="/operations/dead-letters/payments.1/replay"`)

	body := make(chan string, 1)
	f.Answer("payments", func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body <- r.Method + " " + r.URL.Path + " " + string(text)
		w.WriteHeader(http.StatusNoContent)
	})
	b.Posts("/operations/dead-letters/payments.1/replay", "/operations/dead-letters")
	if got := <-body; got != "POST /api/operations/dead-letters/payments.1/replay " {
		t.Error(got)
	}
	b.Posts("/operations/dead-letters/payments.1/discard", "/operations/dead-letters", "reason", " no use ")
	if got := <-body; got != `POST /api/operations/dead-letters/payments.1/discard {"reason":"no use"}` {
		t.Error(got)
	}
	f.Answer("payments", apptest.Says(404, `{}`))
	b.Posts("/operations/dead-letters/payments.1/replay", "/operations/dead-letters")
	if answer, _ := b.Send(http.MethodPost, "/operations/dead-letters/nobody.1/replay", url.Values{}); answer.StatusCode != http.StatusNotFound {
		t.Errorf("of nobody: %s", answer.Status)
	}
}
