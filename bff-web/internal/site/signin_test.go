package site

import (
	"net/url"
	"strings"
	"testing"
)

// No path leads to another site, as a browser reads it: browsers take \ for / and skip tabs and line breaks.
func FuzzNext(f *testing.F) {
	for _, path := range []string{"/orders/1?notice=late", "//evil.example", `/\evil.example`, "/\t/evil.example", "/.//evil.example", "/%2f/evil.example", "https:evil.example", " //evil.example"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		next := Local(path)
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimFunc(next, func(r rune) bool { return r <= ' ' }))
		u, err := url.Parse(next)
		if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(read, "/") || strings.HasPrefix(read, "//") || Local(next) != next {
			t.Errorf("%q leads to %q, which a browser reads as %q", path, next, read)
		}
	})
}
