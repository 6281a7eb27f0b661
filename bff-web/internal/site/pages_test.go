package site_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/pkg/web"
)

// Pages may use only what their own origin serves, so the policy must allow everything that the templates use.
func TestPagesKeepToTheirContentPolicy(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	answer, page := f.Get("/")
	policy := answer.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", answer.Header)
	}
	if found := regexp.MustCompile(`(?i)<script>|<script [^>]*type="text|<style|\sstyle=|\son[a-z]+=|(src|href)="https?:`).FindString(page); found != "" {
		t.Errorf("the page has %q", found)
	}
	links := regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(links) < 2 {
		t.Fatalf("the page has the static files %q", links)
	}
	for _, link := range links {
		answer, file := f.Get(link[1])
		if answer.StatusCode != http.StatusOK || file == "" || !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %s with %v", link[1], answer.Status, answer.Header)
		}
	}
}

func TestAStaticFileOfAnotherVersionIsNotKept(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	for path, status := range map[string]int{"/static/app.css?v=other": 200, "/static/app.css": 200, "/static/none.css": 404, "/static/": 404, "/static/..%2ftemplates%2flayout.html": 404} {
		answer, _ := f.Get(path)
		if answer.StatusCode != status || answer.Header.Get("Cache-Control") != "no-store" && status == 200 {
			t.Errorf("%s: %s, Cache-Control %q", path, answer.Status, answer.Header.Get("Cache-Control"))
		}
	}
	if answer, _ := f.Get("/static/app.css"); answer.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("the style sheet is %s", answer.Header.Get("Content-Type"))
	}
}

func TestNotFoundIsAPageForBrowsersAndAProblemForOthers(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	answer, page := f.Get("/nothing", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if answer.StatusCode != http.StatusNotFound || !strings.Contains(page, "There is nothing here") || answer.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("a browser gets %s: %s", answer.Status, page)
	}
	if answer, _ := f.Get("/nothing"); answer.StatusCode != http.StatusNotFound || answer.Header.Get("Content-Type") != web.ProblemType {
		t.Errorf("others get %s, %s", answer.Status, answer.Header.Get("Content-Type"))
	}
}
