package testkit

import (
	"fmt"
	"strings"
	"testing"
)

// judge keeps the errors that a test would report.
type judge struct {
	testing.TB
	said []string
}

func (j *judge) Helper()      {}
func (j *judge) Failed() bool { return len(j.said) > 0 }
func (j *judge) Errorf(format string, args ...any) {
	j.said = append(j.said, fmt.Sprintf(format, args...))
}

func TestEverythingHasToOccurAndNothingElseMay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		see  func(round int) []string
		want string
		runs int
	}{
		"all at once":        {func(int) []string { return []string{"a", "b"} }, "", 1},
		"one is rare":        {func(round int) []string { return [][]string{{"a"}, {"b"}}[min(round/20, 1)] }, "", 21},
		"one never":          {func(int) []string { return []string{"a"} }, `never happens that: ["b"]`, occurRounds},
		"something else too": {func(int) []string { return []string{"a", "b", "c"} }, `nobody expects it: "c"`, 1},
	} {
		j, runs := &judge{TB: t}, 0
		Occur(j, func(saw func(string)) {
			for _, what := range test.see(runs) {
				saw(what)
			}
			runs++
		}, "a", "b")
		if said := strings.Join(j.said, "\n"); runs != test.runs || (test.want == "") != (said == "") || !strings.Contains(said, test.want) {
			t.Errorf("%s: after %d runs it says %q", name, runs, said)
		}
	}
}
