package upgrade

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Orders placed under the previous release have made its transitions. The auditor accepts the transitions in docs/saga.md.
func TestTheDocumentStillHasTheTransitionsOfThePreviousRelease(t *testing.T) {
	t.Parallel()
	h := openHistory(t)
	before, err := h.git(t, "show", h.previous+":docs/saga.md")
	if err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(filepath.Join(h.repo, "docs", "saga.md"))
	if err != nil {
		t.Fatal(err)
	}
	if gone := lost(string(before), string(now)); len(gone) > 0 {
		t.Errorf("orders may have gone %q, and docs/saga.md has it no more: put it into the list of earlier ways", gone)
	}
}

func TestAMissingTransitionIsNoticed(t *testing.T) {
	t.Parallel()
	const old = "stateDiagram-v2\n    [*] --> placed\n    placed --> reserved: stock_reserved\n"
	for now, want := range map[string][]string{
		old: nil,
		"    [*] --> placed\n    placed --> reserved: another event\n":                                             nil,
		"    [*] --> placed\n    placed --> checked: a\n    checked --> reserved: b\n":                             {"placed --> reserved"},
		"    [*] --> placed\n    placed --> checked: a\n    checked --> reserved: b\n```\n\nplaced --> reserved\n": nil,
	} {
		if got := lost(old, now); !slices.Equal(got, want) {
			t.Errorf("%q has lost %q, want %q", now, got, want)
		}
	}
}

// lost are the transitions in one document that are missing in another one.
func lost(before, now string) (gone []string) {
	ways := waysOf(now)
	for _, way := range waysOf(before) {
		if !slices.Contains(ways, way) {
			gone = append(gone, way)
		}
	}
	return gone
}

func waysOf(doc string) (ways []string) {
	for line := range strings.Lines(doc) {
		way, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		if strings.Contains(way, " --> ") {
			ways = append(ways, way)
		}
	}
	return ways
}
