package audit

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheSagaIsReadFromItsDocument(t *testing.T) {
	t.Parallel()
	s, err := readSaga("../../docs/saga.md")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Start, []string{"placed"}) || !slices.Equal(s.Final, []string{"delivered", "cancelled"}) || len(s.Next) != 8 {
		t.Errorf("it begins %q, ends %q, and goes on from %d statuses", s.Start, s.Final, len(s.Next))
	}
	if next := s.Next["shipped"]; !slices.Equal(next, []string{"delivered", "refunding"}) {
		t.Errorf("from shipped it goes to %q", next)
	}
}

// Without a diagram, every transition would be allowed, or none.
func TestADocumentWithoutASagaIsAnError(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":      "",
		"no end":       "[*] --> placed\nplaced --> reserved: stock_reserved\n",
		"no beginning": "placed --> reserved: stock_reserved\nreserved --> [*]\n",
	} {
		path := filepath.Join(t.TempDir(), "saga.md")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := readSaga(path); err == nil {
			t.Errorf("%s: read as %+v", name, s)
		}
	}
	if _, err := readSaga("no-such-file"); err == nil {
		t.Error("no document is no error")
	}
}

// A status is added to the saga in two releases: the first knows it, the second enters it. Orders of all three releases
// pass.
func TestOrdersOfEarlierReleasesMayMakeTheirTransitions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/saga.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := strings.Replace(string(text), "    placed --> reserved: stock_reserved\n", "    placed --> checked: stock_reserved\n    checked --> reserved: order_checked\n", 1)
	before, after := judge(t, doc), judge(t, doc+"\n```text\nplaced --> reserved\n```\n")
	old := way("old", "", 1, "placed", "reserved", "paid", "shipped", "delivered")
	newer := way("newer", "", 1, "placed", "checked", "reserved", "paid", "shipped", "delivered")
	stray := way("stray", "", 1, "placed", "checked", "paid", "shipped", "delivered")
	if wrong := before.stray(old); wrong != "entry 2: from placed no way leads to reserved" {
		t.Errorf("without the ways of earlier releases, an old order: %q", wrong)
	}
	if wrong := after.stray(old) + after.stray(newer); wrong != "" {
		t.Errorf("an old order and a new one: %q", wrong)
	}
	if after.stray(stray) == "" {
		t.Error("a way that no release had is not noticed")
	}
}

func judge(t *testing.T, doc string) Saga {
	t.Helper()
	path := filepath.Join(t.TempDir(), "saga.md")
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := readSaga(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
