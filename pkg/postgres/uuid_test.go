package postgres_test

import (
	"errors"
	"testing"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

func TestIDsThatAreStringsComeToTheServerAndBack(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t)
	a, b := uuid.NewString(), uuid.NewString()
	for name, ids := range map[string]any{"strings": []string{a, b}, "what a row points to": []any{&a, &b}} {
		var back []string
		if err := db.QueryRow(t.Context(), `SELECT $1::uuid[]::text[]`, ids).Scan(&back); err != nil || len(back) != 2 || back[0] != a || back[1] != b {
			t.Errorf("%s: %q, %v", name, back, err)
		}
	}
	var one string
	if err := db.QueryRow(t.Context(), `SELECT $1::uuid`, a).Scan(&one); err != nil || one != a {
		t.Errorf("%q, %v", one, err)
	}
	for _, text := range []string{"", "no-uuid", a[1:], a + "0", "urn:uuid:" + a, "g" + a[1:]} {
		var back []string
		err := db.QueryRow(t.Context(), `SELECT $1::uuid[]`, []string{a, text}).Scan(&back)
		if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != "22P02" || !postgres.NeverWorks(err) {
			t.Errorf("%q: %v, want what the server says of it", text, err)
		}
	}
}

func TestAnIDIsSentAsItsBytes(t *testing.T) {
	t.Parallel()
	conn, err := testkit.DB(t).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if sent, err := conn.Conn().TypeMap().Encode(pgtype.UUIDArrayOID, pgtype.BinaryFormatCode, []string{uuid.NewString()}, nil); err != nil || len(sent) != 20+4+16 {
		t.Errorf("%d bytes, %v, want the head of an array, a length and 16", len(sent), err)
	}
}
