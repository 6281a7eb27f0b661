package postgres_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
)

type detail struct {
	Street string `json:"street"`
	Lines  []int  `json:"lines"`
}

type parcel struct {
	ID     string
	N      *int64
	At     *time.Time
	Detail detail
	Maybe  *detail
	Bytes  []byte
	Flag   bool
}

var parcelTable = postgres.NewTable(func(p *parcel, column postgres.Column) {
	column("id uuid", &p.ID)
	column("n bigint", &p.N)
	column("at timestamptz fixed", &p.At)
	column("detail jsonb", &p.Detail)
	column("maybe jsonb fixed", &p.Maybe)
	column("bytes bytea", &p.Bytes)
	column("flag boolean", &p.Flag)
})

func TestATableHasTheListsOfItsColumns(t *testing.T) {
	t.Parallel()
	for what, pair := range map[string][2]string{
		"Columns":  {parcelTable.Columns, "id, n, at, detail, maybe, bytes, flag"},
		"Rest":     {parcelTable.Rest, "n, at, detail, maybe, bytes, flag"},
		"Rows":     {parcelTable.Rows, "unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::jsonb[], $5::jsonb[], $6::bytea[], $7::boolean[])"},
		"Set":      {parcelTable.Set, "n = n.n, detail = n.detail, bytes = n.bytes, flag = n.flag"},
		"Changes":  {parcelTable.Changes, "unnest($1::uuid[], $2::bigint[], $3::jsonb[], $4::bytea[], $5::boolean[]) AS n (id, n, detail, bytes, flag)"},
		"Excluded": {parcelTable.Excluded, "n = excluded.n, detail = excluded.detail, bytes = excluded.bytes, flag = excluded.flag"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is\n%s, not\n%s", what, pair[0], pair[1])
		}
	}
}

func TestRowsAreAddedChangedAndReadAgain(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t)
	if _, err := db.Exec(t.Context(), `
		CREATE TABLE parcels (flag boolean, bytes bytea, maybe jsonb, detail jsonb, at timestamptz, n bigint, id uuid PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	n, at := int64(7), time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC)
	rows := []parcel{
		{ID: "0198c3a2-7f00-7000-8000-000000000001", N: &n, At: &at, Detail: detail{`"main", {st}`, []int{1, 2}}, Maybe: &detail{Street: "NULL"}, Bytes: []byte{0, '\\', 255}, Flag: true},
		{ID: "0198c3a2-7f00-7000-8000-000000000002"},
		{ID: "0198c3a2-7f00-7000-8000-000000000003", N: &n, Detail: detail{Lines: []int{}}, Bytes: []byte{}},
	}
	stored := func() []parcel {
		answer, err := db.Query(t.Context(), `SELECT `+parcelTable.Columns+` FROM parcels ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(answer, parcelTable.Scan)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if _, err := db.Exec(t.Context(), `INSERT INTO parcels (`+parcelTable.Columns+`) SELECT * FROM `+parcelTable.Rows, parcelTable.Values(rows)...); err != nil {
		t.Fatal(err)
	}
	if got := stored(); !reflect.DeepEqual(rows, got) {
		t.Errorf("what comes back is\n%+v, not\n%+v", got, rows)
	}
	changed := []parcel{
		{ID: rows[1].ID, N: &n, At: &at, Detail: detail{"side st", nil}, Maybe: &detail{Street: "fixed"}, Bytes: []byte("b"), Flag: true},
		{ID: rows[0].ID},
	}
	if _, err := db.Exec(t.Context(), `UPDATE parcels AS p SET `+parcelTable.Set+` FROM `+parcelTable.Changes+` WHERE p.id = n.id`, parcelTable.Changed(changed)...); err != nil {
		t.Fatal(err)
	}
	changed[0].At, changed[0].Maybe = rows[1].At, rows[1].Maybe // fixed
	changed[1].At, changed[1].Maybe = rows[0].At, rows[0].Maybe
	if want, got := []parcel{changed[1], changed[0], rows[2]}, stored(); !reflect.DeepEqual(want, got) {
		t.Errorf("after the change it is\n%+v, not\n%+v", got, want)
	}
}

func TestWhatIsNoListOfColumnsIsRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	for name, columns := range map[string]func(*parcel, postgres.Column){
		"no type": func(p *parcel, column postgres.Column) { column("id", &p.ID) },
		"an unknown word": func(p *parcel, column postgres.Column) {
			column("id uuid", &p.ID)
			column("flag boolean never", &p.Flag)
		},
		"the key is fixed":         func(p *parcel, column postgres.Column) { column("id uuid fixed", &p.ID) },
		"no pointer":               func(p *parcel, column postgres.Column) { column("id uuid", &p.ID); column("flag boolean", p.Flag) },
		"the value, not its place": func(p *parcel, column postgres.Column) { column("id uuid", &p.ID); column("n bigint", p.N) },
		"no field":                 func(p *parcel, column postgres.Column) { column("id uuid", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if told := fmt.Sprint(recover()); !strings.HasPrefix(told, "no column with its type") {
					t.Error(told)
				}
			}()
			postgres.NewTable(columns)
		})
	}
}
