package main

import (
	"net/http"
	"strings"
	"testing"
)

// If it were in the address, it would be shown again at each reload, and by a bookmark.
func TestANoticeIsShownOnceAndByItsPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	b := f.as("alice")
	b.posts("/orders/7/cancellation", "/orders/7")
	if page := b.loads(200, "/"); strings.Contains(page, "cancellation is on its way") {
		t.Error("another page tells it")
	}
	f.answer("orders", says(200, oneOrder))
	answer, page := b.send(http.MethodGet, "/orders/7", nil)
	if !strings.Contains(page, "The cancellation is on its way") || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("it is not told, or kept for the back button: %v %s", answer.Header, page)
	}
	if page := b.loads(200, "/orders/7"); strings.Contains(page, "cancellation is on its way") {
		t.Error("it is told again")
	}
	for _, made := range []string{"%zz", "at=%2Fcart&say=nothing", "at=%2Fcart", "say=late"} {
		b.cookies[b.cookie(noticeCookie)] = made
		if page := b.loads(200, "/cart"); strings.Contains(page, `class="notice`) {
			t.Errorf("%q is a notice", made)
		}
	}
}

func TestAButtonThatAsksFirstNeedsNoScript(t *testing.T) {
	t.Parallel()
	p, err := parsePages()
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	err = p.templates["order.html"].ExecuteTemplate(&page, "confirm", newConfirm("/orders/7/cancellation", "Cancel", "Really <cancel>?", "Yes", "Why <not>?"))
	if err != nil || !strings.HasPrefix(page.String(), "<details") {
		t.Fatalf("%s, %v", page.String(), err)
	}
	for _, want := range []string{`method="post" action="/orders/7/cancellation"`, "Really &lt;cancel&gt;?", "<summary", ">Yes</button>", "<label>Why &lt;not&gt;? <input name=\"reason\""} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("%s lacks %s", page.String(), want)
		}
	}
}
