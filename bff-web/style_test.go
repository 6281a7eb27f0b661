package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// colours returns the variables of the style sheet, for light and for dark pages.
func colours(t *testing.T) (light, dark map[string]string) {
	t.Helper()
	css, err := files.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	roots := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllSubmatch(css, -1)
	if len(roots) != 2 {
		t.Fatalf("%d sets of colours", len(roots))
	}
	read := func(block []byte) map[string]string {
		all := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6});`).FindAllSubmatch(block, -1) {
			all[string(m[1])] = string(m[2])
		}
		return all
	}
	return read(roots[0][1]), read(roots[1][1])
}

// WCAG 2.2 AA requires a contrast of 4.5 for text, and of 3 for controls and drawings, in light and in dark. The test in a
// browser only checks the texts that are on its pages; this one checks all pairs that may occur.
func TestColoursHaveContrast(t *testing.T) {
	t.Parallel()
	light, dark := colours(t)
	for scheme, c := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, on := range []string{"ground", "card"} {
			for _, text := range []string{"ink", "soft", "brand", "plenty", "few", "none", "danger"} {
				if got := contrast(c[text], c[on]); got < 4.5 {
					t.Errorf("%s: %s on %s has %.2f", scheme, text, on, got)
				}
			}
		}
		for _, text := range []string{"ink", "soft", "brand"} {
			if got := contrast(c[text], c["tint"]); got < 4.5 {
				t.Errorf("%s: %s on tint has %.2f", scheme, text, got)
			}
		}
		if got := contrast(c["on-brand"], c["brand"]); got < 4.5 {
			t.Errorf("%s: on-brand has %.2f", scheme, got)
		}
	}
}

// Steps of an order that are still to come are drawn as circles, which must be visible. So must the borders of inputs.
func TestDrawingsCanBeSeen(t *testing.T) {
	t.Parallel()
	css, err := files.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark := colours(t)
	for _, rule := range []string{`.progress li::before {`, `.progress li::after {`, `input:not([type=radio], [type=checkbox]) {`} {
		_, rest, found := strings.Cut(string(css), "\n"+rule)
		body, _, _ := strings.Cut(rest, "}")
		used := regexp.MustCompile(`(?:border|background): (?:[0-9a-z ]+ )?var\(--([a-z-]+)\)`).FindStringSubmatch(body)
		if !found || used == nil {
			t.Fatalf("%s is drawn otherwise: %s", rule, body)
		}
		for scheme, c := range map[string]map[string]string{"light": light, "dark": dark} {
			if got := contrast(c[used[1]], c["ground"]); got < 3 {
				t.Errorf("%s: %s with %s has %.2f", scheme, rule, used[1], got)
			}
		}
	}
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(colour string) float64 {
	hex := strings.TrimPrefix(colour, "#")
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%c%c%c%c%c", hex[0], hex[0], hex[1], hex[1], hex[2], hex[2])
	}
	n, _ := strconv.ParseUint(hex, 16, 32) // black if it is invalid, which fails every test
	part := func(shift int) float64 {
		v := float64(n>>shift&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}
