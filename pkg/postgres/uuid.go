package postgres

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// registerUUIDs has ids that are strings in Go sent as 16 bytes. pgx by itself tries that with each, fails, and sends a text that
// the server has to read.
func registerUUIDs(types *pgtype.Map) {
	one := &pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}}
	types.RegisterType(one)
	types.RegisterType(&pgtype.Type{Name: "_uuid", OID: pgtype.UUIDArrayOID, Codec: &pgtype.ArrayCodec{ElementType: one}})
}

type uuidCodec struct{ pgtype.UUIDCodec }

// PlanEncode is of pgtype.Codec.
func (c uuidCodec) PlanEncode(types *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(string); ok && format == pgtype.BinaryFormatCode {
		return encodeUUID{}
	}
	return c.UUIDCodec.PlanEncode(types, oid, format, value)
}

type encodeUUID struct{}

// Encode is of pgtype.EncodePlan. After an error pgx sends the text as it is: what the server says of it is what callers know.
func (encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	text, _ := value.(string)
	if len(text) != len(uuid.UUID{}.String()) { // uuid.Parse knows other forms
		return nil, fmt.Errorf("no UUID: %q", text)
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("no UUID: %w", err)
	}
	return append(buf, id[:]...), nil
}
