package console_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/console"
)

// undertaker is a service that settles dead letters, except those that it does not have, and those that it cannot settle now.
type undertaker struct {
	mu    sync.Mutex
	asked []string
}

func (u *undertaker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	defer u.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/api/operations/dead-letters/")
	u.asked = append(u.asked, strings.TrimSpace(path+" "+string(body)))
	switch {
	case strings.Contains(path, "gone"):
		w.WriteHeader(http.StatusNotFound)
	case strings.Contains(path, "busy"):
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func settles(f *apptest.Fixture, action, body, scope string) (status int, items []console.Settled) {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), http.MethodPost, f.URL+"/api/operations/dead-letters/"+action, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	r.Header.Set("Authorization", f.Bearer(scope))
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer answer.Body.Close()
	var list struct{ Items []console.Settled }
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		f.Fatal(err)
	}
	return answer.StatusCode, list.Items
}

func TestSeveralDeadLettersAreSettledByOneRequest(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	payments, shipping := &undertaker{}, &undertaker{}
	f.Answer("payments", payments.ServeHTTP)
	f.Answer("shipping", shipping.ServeHTTP)
	status, items := settles(f, "replay", `{"ids":["payments.1","shipping.gone","nobody.1","payments.busy","payments.2"]}`, "operations")
	want := []console.Settled{{ID: "payments.1", Status: 204}, {ID: "shipping.gone", Status: 404}, {ID: "nobody.1", Status: 404, Detail: console.ErrNobodys.Error()}, {ID: "payments.busy", Status: 503, Detail: "payments cannot answer now"}, {ID: "payments.2", Status: 204}}
	if status != http.StatusOK || !slices.Equal(items, want) {
		t.Errorf("%d %+v, want %+v", status, items, want)
	}
	if want := []string{"payments.1/replay", "payments.busy/replay", "payments.2/replay"}; !slices.Equal(payments.asked, want) {
		t.Errorf("payments was asked for %q", payments.asked)
	}
	payments.asked = nil
	if _, items = settles(f, "discard", `{"ids":["payments.1"],"reason":"sent by hand"}`, "operations"); len(items) != 1 || !slices.Equal(payments.asked, []string{`payments.1/discard {"reason":"sent by hand"}`}) {
		t.Errorf("%+v, asked for %q", items, payments.asked)
	}
	payments.asked = nil
	for body, action := range map[string]string{
		`{"ids":[]}`: "replay", `{"ids":["payments.1"],"reason":"why"}`: "replay", `{"ids":["payments.1"]}`: "discard",
		`{"ids":["payments.1"` + strings.Repeat(`,"payments.1"`, console.SettledMost) + `]}`: "replay",
	} {
		if status, _ := settles(f, action, body, "operations"); status != http.StatusUnprocessableEntity {
			t.Errorf("%s %.60s: %d", action, body, status)
		}
	}
	if status, _ := settles(f, "replay", `{"ids":["payments.1"]}`, "orders"); status != http.StatusForbidden || payments.asked != nil {
		t.Errorf("a customer: %d, asked for %q", status, payments.asked)
	}
}

// The caller gets an answer before the gateway gives up, and it says what is left.
func TestWhatIsNotSettledInTimeIsTold(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("payments", apptest.Silent)
	begun := time.Now()
	_, items := settles(f, "replay", `{"ids":["payments.1","payments.2"]}`, "operations")
	if len(items) != 2 || items[0].Status != http.StatusServiceUnavailable || items[1].Detail == "" {
		t.Errorf("%+v after %s", items, time.Since(begun))
	}
}

func TestAnOperatorSettlesSelectedDeadLetters(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	payments := &undertaker{}
	f.Answer("payments", payments.ServeHTTP)
	olga := f.As("olga")
	const list = "/operations/dead-letters?kind=a"
	for _, row := range []struct {
		form  url.Values
		asked string
		told  string
	}{
		{url.Values{"do": {"replay"}, "id": {"payments.2", "payments.1"}, "shown": {"payments.3"}}, "payments.1/replay payments.2/replay", "Back in their queues: 2."},
		{url.Values{"do": {"replay"}, "all": {"true"}, "shown": {"payments.3", "payments.gone"}}, "payments.3/replay payments.gone/replay", "Back in their queues: 1. No longer here: 1."},
		{url.Values{"do": {"discard"}, "reason": {" old "}, "id": {"payments.1", "payments.busy"}}, `payments.1/discard {"reason":"old"} payments.busy/discard {"reason":"old"}`, "Thrown away: 1. Not done: 1. Payments cannot answer now."},
		{url.Values{"do": {"replay"}}, "", "No message was selected."},
	} {
		row.form.Set("back", list)
		payments.asked = nil
		answer, _ := olga.Send(http.MethodPost, "/operations/dead-letters", row.form)
		if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != list || strings.Join(payments.asked, " ") != row.asked {
			t.Errorf("%v: %s to %s, asked for %q", row.form, answer.Status, answer.Header.Get("Location"), payments.asked)
		}
		f.Answer("payments", letters(0))
		olga.Loads(200, list, row.told)
		f.Answer("payments", payments.ServeHTTP)
	}
	payments.asked = nil
	for _, form := range []url.Values{{"do": {"discard"}, "id": {"payments.1"}}, {"do": {"burn"}, "id": {"payments.1"}}} {
		if answer, _ := olga.Send(http.MethodPost, "/operations/dead-letters", form); answer.StatusCode < 400 || payments.asked != nil {
			t.Errorf("%v: %s, asked for %q", form, answer.Status, payments.asked)
		}
	}
}
