package audit

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestTheSagaIsReadFromItsDocument(t *testing.T) {
	t.Parallel()
	s, err := readSaga("../../docs/saga.md")
	if err != nil {
		t.Fatal(err)
	}
	if s.Start != "placed" || !slices.Equal(s.Final, []string{"delivered", "cancelled"}) || len(s.Next) != 8 {
		t.Errorf("it begins %q, ends %q, and goes on from %d statuses", s.Start, s.Final, len(s.Next))
	}
	if next := s.Next["shipped"]; !slices.Equal(next, []string{"delivered", "refunding"}) {
		t.Errorf("from shipped it goes to %q", next)
	}
}

// Without it every way would be legal, or none.
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
