package unit_test

import (
	"slices"
	"testing"

	"example.com/orderflow/pkg/unit"
)

func TestRowsAreAsTheLastChangeHasLeftThem(t *testing.T) {
	t.Parallel()
	var rows unit.Rows[string, int]
	if _, known := rows.Get("a"); known || len(rows.Named()) > 0 {
		t.Error("the zero value is not empty")
	}
	for _, key := range []string{"c", "a", "b", "a"} {
		rows.Name(key)
	}
	if got := rows.Named(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("named are %v, want each once, in the order of locks", got)
	}
	if _, known := rows.Get("a"); known {
		t.Error("what is only named is known")
	}
	rows.Loaded("a", 1)
	rows.Loaded("b", 2)
	rows.Put("x", 7) // it was not named
	rows.Put("c", 3)
	rows.Put("a", 10)
	rows.Put("c", 4)
	rows.Put("a", 11)
	if row, known := rows.Get("a"); row != 11 || !known {
		t.Errorf("a is %d, %t", row, known)
	}
	added, replaced := rows.Changes()
	if !slices.Equal(added, []int{7, 4}) || !slices.Equal(replaced, []int{11}) {
		t.Errorf("added %v, replaced %v, want each once, as it is by now, in the order of the first change", added, replaced)
	}
}
