package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/web"
)

type listing struct {
	Items []struct {
		ID   string          `json:"id"`
		Body json.RawMessage `json:"body"`
	} `json:"items"`
	Total   int      `json:"total"`
	Missing []string `json:"missing"`
}

func (f *fixture) list(query string) listing {
	f.Helper()
	answer, body := f.get("/api/operations/dead-letters"+query, "Authorization", f.bearer("operations"), "X-Request-Id", "r-1")
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Cache-Control") != "no-store" {
		f.Fatalf("%s: %s", answer.Status, body)
	}
	var l listing
	if err := json.Unmarshal([]byte(body), &l); err != nil {
		f.Fatal(err)
	}
	if l.Items == nil || l.Missing == nil {
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
	return says(200, fmt.Sprintf(`{"items":[%s],"total":%d}`, strings.Join(items, ","), total))
}

func TestDeadLettersOfAllServicesAreOneList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("orders", letters(7, "orders.1", "2026-01-01T10:00:00Z", "orders.2", ""))
	f.answer("payments", letters(2, "payments.1", "2026-01-01T12:00:00Z", "payments.2", "2026-01-01T10:30:00+01:00"))
	f.answer("shipping", letters(1, "shipping.1", "2026-01-01T11:00:00.5Z"))
	l := f.list("?limit=4")
	if want := []string{"payments.1", "shipping.1", "orders.1", "payments.2"}; !slices.Equal(ids(l), want) || l.Total != 10 || len(l.Missing) != 0 {
		t.Errorf("%+v", l)
	}
	if string(l.Items[0].Body) != `{"n":1.50}` {
		t.Errorf("a body has become %s", l.Items[0].Body)
	}
	for _, s := range f.site.services {
		seen := f.asked(s.name)
		if seen.URL.RequestURI() != "/api/operations/dead-letters?limit=4" || !strings.HasPrefix(seen.Header.Get("Authorization"), "Bearer ") || seen.Header.Get("X-Request-Id") != "r-1" {
			t.Errorf("%s was asked for %s with %v", s.name, seen.URL, seen.Header)
		}
	}
	if l := f.list(""); len(l.Items) != 5 || l.Items[4].ID != "orders.2" {
		t.Errorf("what has no time is not last: %q", ids(l))
	}
}

func TestWhoDoesNotAnswerIsMissingFromTheList(t *testing.T) {
	t.Parallel()
	f := silentFixture(t)
	f.services["shipping"].Close()
	f.answer("payments", silent)
	f.answer("inventory", says(200, `{"items":[{"id":7}]}`))
	f.answer("orders", func(w http.ResponseWriter, r *http.Request) { // they are asked side by side: it waits for the others
		for f.asked("payments") == nil && r.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		letters(1, "orders.1", "2026-01-01T10:00:00Z")(w, r)
	})
	l := f.list("")
	if !slices.Equal(ids(l), []string{"orders.1"}) || !slices.Equal(l.Missing, []string{"inventory", "payments", "shipping"}) || l.Total != 1 {
		t.Errorf("%+v", l)
	}
}

func TestDeadLettersAreForOperators(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for authorization, status := range map[string]int{"": 401, "Bearer x": 401, f.bearer("orders"): 403} {
		answer, _ := f.get("/api/operations/dead-letters", "Authorization", authorization)
		if answer.StatusCode != status || answer.Header.Get("Content-Type") != web.ProblemType {
			t.Errorf("%s", answer.Status)
		}
	}
	for _, limit := range []string{"0", "201", "x", "-1"} {
		if answer, _ := f.get("/api/operations/dead-letters?limit="+limit, "Authorization", f.bearer("operations")); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("limit %s: %s", limit, answer.Status)
		}
	}
	if f.asked("orders") != nil {
		t.Error("orders was asked")
	}
}
