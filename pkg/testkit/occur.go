package testkit

import (
	"slices"
	"testing"
)

// occurRounds is how often Occur runs a property before it reports that something has not happened.
const occurRounds = 500

// Occur runs a property again and again until everything in wanted has happened; the property calls saw for what has
// happened. Without this, a property could hold only because its runs all end the same way, such as with nothing delivered.
// When something happens that is not in wanted, that is an error, too.
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
