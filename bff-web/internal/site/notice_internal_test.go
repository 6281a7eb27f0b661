package site

import (
	"strings"
	"testing"
)

func TestAButtonThatAsksFirstNeedsNoScript(t *testing.T) {
	t.Parallel()
	p, err := New(Config{})
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
