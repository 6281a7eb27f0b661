package testkit

import (
	"slices"
	"testing"
)

// occurRounds is how often Occur runs a property before it says that something does not happen.
const occurRounds = 500

// Occur runs a property, which says what it saw, until everything that is wanted has happened: a property that holds of lives
// that all end alike would hold of a system in which nothing can be delivered any more. What happens and is not on the list is
// an error, too.
func Occur(t testing.TB, run func(saw func(what string)), wanted ...string) {
	t.Helper()
	times := map[string]int{}
	missing := slices.Clone(wanted)
	rounds := 0
	for ; rounds < occurRounds; rounds++ {
		run(func(what string) { times[what]++ })
		if t.Failed() {
			return
		}
		if missing = slices.DeleteFunc(missing, func(what string) bool { return times[what] > 0 }); len(missing) == 0 {
			break
		}
	}
	t.Logf("after %d rounds: %v", rounds+1, times)
	if len(missing) > 0 {
		t.Errorf("it never happens that: %q; what does is %v", missing, times)
	}
	for what := range times {
		if !slices.Contains(wanted, what) {
			t.Errorf("it happens, and nobody expects it: %q", what)
		}
	}
}
