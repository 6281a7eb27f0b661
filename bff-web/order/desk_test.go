package order_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
)

func TestAnOperatorMakesAnOrderAskAgainAndLeavesANote(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	var path, sent string
	answers := func(status int) {
		f.Answer("orders", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			path, sent = r.URL.Path, string(body)
			apptest.Says(status, `{}`)(w, r)
		})
	}
	olga := f.As("olga")
	posts := func(form, value, notice string, asked, body string) {
		t.Helper()
		olga.Send(http.MethodPost, "/orders/7/"+form, url.Values{"text": {value}})
		if path != asked || sent != body {
			t.Errorf("%s: %s %s", form, path, sent)
		}
		f.Answer("orders", apptest.Says(200, apptest.OneOrder))
		olga.Loads(200, "/orders/7", notice)
	}
	answers(http.StatusAccepted)
	posts("retry", "", "The order asks again.", "/api/operations/orders/7/retry", "")
	answers(http.StatusConflict)
	posts("retry", "", "waits for nothing", "/api/operations/orders/7/retry", "")
	answers(http.StatusNoContent)
	posts("note", "called back", "The note is in the log.", "/api/operations/orders/7/note", `{"text":"called back"}`)

	const noted = `{"order_id":"1","status":"placed","timeline":[{"seq":1,"at":"2026-01-01T10:00:00Z","status":"placed","what":"order placed"}],
		"log":[{"at":"2026-01-01T10:00:02Z","operator":"oscar","what":"note","why":"she called"}]}`
	f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{"/api/orders/1": apptest.Says(200, apptest.OneOrder), "/api/orders/1/tracking": apptest.Says(200, noted)}))
	olga.Loads(200, "/orders/1", "note: she called", "oscar", "Ask again now", `data-copy="order-id"`)
	if page := f.As("alice").Loads(200, "/orders/1"); strings.Contains(page, "What operators did") || strings.Contains(page, "Ask again") {
		t.Errorf("alice sees\n%s", page)
	}
	for _, form := range []string{"retry", "note"} {
		if answer, _ := f.As("alice").Send(http.MethodPost, "/orders/1/"+form, url.Values{"text": {"mine"}}); answer.StatusCode != http.StatusForbidden {
			t.Errorf("alice sends %s: %s", form, answer.Status)
		}
	}
}
