package site_test

import (
	"regexp"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/static"
)

// WCAG 2.2 AA requires a contrast of 4.5 for text, and of 3 for controls and drawings, in light and in dark. The test in a
// browser only checks the texts that are on its pages; this one checks all pairs that may occur.
func TestColoursHaveContrast(t *testing.T) {
	t.Parallel()
	light, dark := apptest.Colours(t)
	for scheme, c := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, on := range []string{"ground", "card"} {
			for _, text := range []string{"ink", "soft", "brand", "plenty", "few", "none", "danger"} {
				if got := apptest.Contrast(c[text], c[on]); got < 4.5 {
					t.Errorf("%s: %s on %s has %.2f", scheme, text, on, got)
				}
			}
		}
		for _, text := range []string{"ink", "soft", "brand"} {
			if got := apptest.Contrast(c[text], c["tint"]); got < 4.5 {
				t.Errorf("%s: %s on tint has %.2f", scheme, text, got)
			}
		}
		if got := apptest.Contrast(c["on-brand"], c["brand"]); got < 4.5 {
			t.Errorf("%s: on-brand has %.2f", scheme, got)
		}
	}
}

// Steps of an order that are still to come are drawn as circles, which must be visible. So must the borders of inputs.
func TestDrawingsCanBeSeen(t *testing.T) {
	t.Parallel()
	css, err := static.Files.ReadFile("app.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark := apptest.Colours(t)
	for _, rule := range []string{`.progress li::before {`, `.progress li::after {`, `input:not([type=radio], [type=checkbox]) {`} {
		_, rest, found := strings.Cut(string(css), "\n"+rule)
		body, _, _ := strings.Cut(rest, "}")
		used := regexp.MustCompile(`(?:border|background): (?:[0-9a-z ]+ )?var\(--([a-z-]+)\)`).FindStringSubmatch(body)
		if !found || used == nil {
			t.Fatalf("%s is drawn otherwise: %s", rule, body)
		}
		for scheme, c := range map[string]map[string]string{"light": light, "dark": dark} {
			if got := apptest.Contrast(c[used[1]], c["ground"]); got < 3 {
				t.Errorf("%s: %s with %s has %.2f", scheme, rule, used[1], got)
			}
		}
	}
}
