package client

import (
	"strings"
	"testing"
)

func TestAnUpstreamsTextIsMadeFit(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"fine":                     "fine",
		"a\x00b\nc":                "a\uFFFDb\uFFFDc",
		"\xff":                     "\uFFFD",
		"a\u202eb":                 "a\uFFFDb",
		strings.Repeat("x", 1_000): strings.Repeat("x", 500),
	} {
		if got := Clean(given); got != want {
			t.Errorf("%.20q becomes %.20q, want %.20q", given, got, want)
		}
	}
}

func TestTheCodeOfAProblem(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{`{"code":"card_declined"}`: "card_declined", `{}`: "", `{"code":7}`: "", "no JSON": ""} {
		if got := (&Problem{Body: []byte(body)}).Code(); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}
