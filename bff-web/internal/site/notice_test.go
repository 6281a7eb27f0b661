package site_test

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/internal/site"
)

// If it were in the address, it would be shown again at each reload, and by a bookmark.
func TestANoticeIsShownOnceAndByItsPage(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	b := f.As("alice")
	b.Posts("/orders/7/cancellation", "/orders/7")
	if page := b.Loads(200, "/"); strings.Contains(page, "cancellation is on its way") {
		t.Error("another page tells it")
	}
	f.Answer("orders", apptest.Says(200, apptest.OneOrder))
	answer, page := b.Send(http.MethodGet, "/orders/7", nil)
	if !strings.Contains(page, "The cancellation is on its way") || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("it is not told, or kept for the back button: %v %s", answer.Header, page)
	}
	if page := b.Loads(200, "/orders/7"); strings.Contains(page, "cancellation is on its way") {
		t.Error("it is told again")
	}
	for _, made := range []string{"%zz", "at=%2Fcart&say=nothing", "at=%2Fcart", "say=late"} {
		b.Cookies[b.Cookie(site.NoticeCookie)] = made
		if page := b.Loads(200, "/cart"); strings.Contains(page, `class="notice`) {
			t.Errorf("%q is a notice", made)
		}
	}
}
