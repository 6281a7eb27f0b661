package deploy

import (
	"regexp"
	"strings"
	"testing"
)

// forgotten are words that this project had for things for which the field has others, and what to say. Those that are ordinary
// English in another meaning cannot be kept out by a test.
var forgotten = map[string]*regexp.Regexp{
	"the program that …, the person who …": regexp.MustCompile(`\b[Ww]hoever\b|Whoever`),
	"upstream":                  regexp.MustCompile(`(?i)neighbour`),
	"operation, action":         regexp.MustCompile(`\b[Dd]eeds?\b`),
	"needs attention":           regexp.MustCompile(`\b[Nn]eedy\b`),
	"timeout":                   regexp.MustCompile(`(?i)_patience|\bpatience\b`),
	"in doubt":                  regexp.MustCompile(`(?i)certain_?after`),
	"ignored messages":          regexp.MustCompile(`late_messages`),
	"no effect":                 regexp.MustCompile(`\berrIdle\b`),
	"onCommand":                 regexp.MustCompile(`\bobeys?\b`),
	"compensation, compensated": regexp.MustCompile(`\b(steps?|turns?|turned) back\b`),
}

// spared may have them: what was released, and what says how things were called.
var spared = regexp.MustCompile(`/migrations/|^CHANGELOG\.md$|^e2e/upgrade/|^e2e/deploy/words_test\.go$|\.(svg|png|sum)$`)

func TestWordsOfOurOwnDoNotComeBack(t *testing.T) {
	t.Parallel()
	files := 0
	for _, name := range listed(t) {
		if spared.MatchString(name) {
			continue
		}
		files++
		for line := range strings.Lines(string(read(t, name))) {
			for say, pattern := range forgotten {
				if word := pattern.FindString(line); word != "" {
					t.Errorf("%s: %q, say %q: %s", name, word, say, strings.TrimSpace(line))
				}
			}
		}
	}
	if files < 500 {
		t.Errorf("only %d files", files)
	}
}
