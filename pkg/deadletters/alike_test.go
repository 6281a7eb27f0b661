package deadletters

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestErrorsWithTheSameCauseAreAlike(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "",
		"lock order 01a225dd-be9a-7612-971a-15e0b931b137: timeout after 1.5s":  "lock order …: timeout after …",
		"lock order abcdefab-be9a-7612-971a-15e0b931b137: timeout after 250ms": "lock order …: timeout after …",
		"dial tcp 127.0.0.1:5432: connect: connection refused":                 "dial tcp …: connect: connection refused",
		"charge tok_visa: the provider answers 503":                            "charge tok_visa: the provider answers …",
		"violates check \"stock_available_check\"":                             "violates check \"stock_available_check\"",
		"line one\n\tline two\x00":                                             "line one line two",
		"order 9217E290 of A1B2":                                               "order … of …",
		strings.Repeat("é", 300):                                               strings.Repeat("é", alikeMost),
	} {
		if got := alike(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func FuzzAlike(f *testing.F) {
	f.Add("lock order 01a225dd-be9a-7612-971a-15e0b931b137: timeout after 1.5s")
	f.Add(strings.Repeat("a ", 100) + "b") // cut off at a space
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "?")
		if got := alike(text); !utf8.ValidString(got) || utf8.RuneCountInString(got) > alikeMost || alike(got) != got {
			t.Errorf("%q is %q, and that is %q", text, got, alike(got))
		}
	})
}
