package site

import "testing"

func TestSigningInLeadsOnlyToPathsOfOurs(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/orders/1?cursor=2": "/orders/1?cursor=2", "": "/", "//evil.example": "/", "///evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", "orders": "/", "/\t/evil": "/",
	} {
		if got := Local(path); got != want {
			t.Errorf("%q leads to %q", path, got)
		}
	}
}
