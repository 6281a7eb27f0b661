package main

import (
	"net/http"
	"strings"
	"testing"
)

// Two operators have read the same product, and each wants to change something else about it.
func TestAnEditDoesNotOverwriteAChangeThatItsAuthorHasNotSeen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const path = "/api/products/CUP"
	olga := f.as("olga")
	edit := func(old, new string) string { return strings.Replace(goodProduct, old, new, 1) }
	expect := func(what string, status int, method, body string, options ...option) answer {
		t.Helper()
		a := f.call(method, path, body, append(options, olga)...)
		if a.status != status {
			t.Errorf("%s: %d %s, want %d", what, a.status, a.body, status)
		}
		return a
	}
	expect("change what is not there", 412, http.MethodPut, goodProduct, header("If-Match", "*"))
	expect("not there yet", 404, http.MethodGet, "")
	expect("add it", 201, http.MethodPut, goodProduct, header("If-None-Match", "*"))
	expect("add it again", 412, http.MethodPut, edit("500", "1"), header("If-None-Match", "*"))
	seen := expect("read it", 200, http.MethodGet, "").header.Get("ETag")
	if strings.HasPrefix(seen, "W/") {
		t.Fatalf("the tag is weak: %s", seen)
	}
	if a := f.call(http.MethodPost, path+"/stock", `{"add":5}`, olga, header("If-Match", seen)); a.status != 200 {
		t.Errorf("add units: %d %s", a.status, a.body)
	}
	if now := expect("read it again", 200, http.MethodGet, "", header("If-None-Match", seen)).header.Get("ETag"); now == seen {
		t.Errorf("more units, and the tag is the same: %s", now)
	}
	expect("one changes the price", 200, http.MethodPut, edit("500", "600"), header("If-Match", seen))
	for what, match := range map[string]string{"the other changes the name": seen, "with any tag": `"x"`, "with a weak one": "W/" + seen} {
		expect(what, 412, http.MethodPut, edit("Cup", "Mug"), header("If-Match", match))
	}
	if a := f.call(http.MethodPost, path+"/stock", `{"add":5}`, olga, header("If-Match", seen)); a.status != 412 {
		t.Errorf("add units to what has changed: %d %s", a.status, a.body)
	}
	expect("without quotes", 400, http.MethodPut, edit("Cup", "Mug"), header("If-Match", strings.Trim(seen, `"`)))
	now := expect("read it once more", 200, http.MethodGet, "")
	var p editableBody
	if now.into(t, &p); p.Name != "Cup" || p.Price.Amount != 600 || p.Available != 5 {
		t.Errorf("it is %+v", p)
	}
	expect("only the reorder point", 200, http.MethodPut, edit(`"reorder_point":2`, `"reorder_point":3`), header("If-Match", `"x", `+now.header.Get("ETag")))
	expect("which is a change", 412, http.MethodPut, goodProduct, header("If-Match", now.header.Get("ETag")))
	expect("on no condition", 200, http.MethodPut, goodProduct)
}
