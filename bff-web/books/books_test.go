package books_test

import (
	"fmt"
	"net/http"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
)

func TestThePageOfTheBooksIsRedWhenTheyDoNotAgree(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	orders := 0
	const order = "0199c0de-0000-7000-8000-000000000001"
	f.Answer("orders", func(w http.ResponseWriter, r *http.Request) {
		orders++
		apptest.Says(200, `{"since":"`+order+`","rows":[{"status":"delivered","currency":"EUR","count":2,"amount":3000}]}`)(w, r)
	})
	f.Answer("payments", apptest.Says(200, `{"rows":[{"status":"taken","currency":"EUR","count":2,"amount":3000}]}`))
	f.Answer("inventory", apptest.Says(200, `{"rows":[{"status":"taken","count":2}]}`))
	f.Answer("shipping", apptest.Says(200, `{"rows":[{"status":"delivered","count":2}]}`))
	f.Answer("simulator", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/provider/report" || r.URL.Query().Get("since") != order || r.Header.Get("Authorization") != "" {
			t.Errorf("the provider is asked for %s with %q", r.URL, r.Header.Get("Authorization"))
		}
		apptest.Says(200, `{"charged":{"EUR":3000},"refunded":{},"double":[]}`)(w, r)
	})
	f.As("alice").Loads(403, "/operations/books")
	olga := f.As("olga")
	olga.Loads(200, "/operations/books", "The books agree", "€30.00")
	for range 5 {
		olga.Loads(200, "/operations/books")
	}
	if orders != 2 {
		t.Errorf("six looks have read the books of orders %d times, want 2 for all", orders)
	}
	f.App.Books.Forget()
	f.Answer("simulator", apptest.Says(200, fmt.Sprintf(`{"charged":{"EUR":4500},"refunded":{},"double":[%q]}`, order)))
	olga.Loads(200, "/operations/books", "The books do not agree", "/orders/"+order+"/messages", "broken")
	f.App.Books.Forget()
	f.Services["simulator"].Close()
	olga.Loads(200, "/operations/books", "The books agree", "not known")
}
