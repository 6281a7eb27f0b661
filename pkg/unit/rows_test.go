package unit_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"example.com/orderflow/pkg/testkit"
	"example.com/orderflow/pkg/unit"
	"github.com/jackc/pgx/v5"
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

func TestRowsBecomeColumnsAndRowsAgain(t *testing.T) {
	t.Parallel()
	type detail struct {
		Street string `json:"street"`
		Lines  []int  `json:"lines"`
	}
	type row struct {
		ID     string
		N      *int64
		At     *time.Time
		Detail detail
		Maybe  *detail
		Bytes  []byte
		Flag   bool
	}
	fields := func(r *row) []any { return []any{&r.ID, &r.N, &r.At, &r.Detail, &r.Maybe, &r.Bytes, &r.Flag} }
	n, at := int64(7), time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC)
	rows := []row{
		{ID: "0198c3a2-7f00-7000-8000-000000000001", N: &n, At: &at, Detail: detail{`"main", {st}`, []int{1, 2}}, Maybe: &detail{Street: "NULL"}, Bytes: []byte{0, '\\', 255}, Flag: true},
		{ID: "0198c3a2-7f00-7000-8000-000000000002"},
		{ID: "0198c3a2-7f00-7000-8000-000000000003", N: &n, Detail: detail{Lines: []int{}}, Bytes: []byte{}},
	}
	db := testkit.DB(t)
	answer, err := db.Query(t.Context(), `
		SELECT *
		FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::jsonb[], $5::jsonb[], $6::bytea[], $7::boolean[])`, unit.Columns(rows, fields)...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(answer, func(r pgx.CollectableRow) (back row, err error) {
		err = r.Scan(fields(&back)...)
		return back, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(rows, got) {
		t.Errorf("what comes back is\n%+v, not\n%+v", got, rows)
	}
	if columns := unit.Columns(nil, fields); len(columns) != 0 {
		t.Errorf("no rows have the columns %v", columns)
	}
}
