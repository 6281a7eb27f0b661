package shop

import (
	"strings"
	"testing"
)

// A total is read exactly as it was written, or not at all.
func FuzzTotal(f *testing.F) {
	for _, text := range []string{"1500 EUR", "", "0 XXX", "-1 EUR", "999999999999999999 EUR", "1500 EUR EUR"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := readTotal(text)
		if written := (checkout{Price: m}).Total(); m.Amount < 0 || readTotal(written) != m || m.Currency != "" && strings.TrimLeft(text, "0") != strings.TrimLeft(written, "0") {
			t.Errorf("%q is read as %+v", text, m)
		}
	})
}
