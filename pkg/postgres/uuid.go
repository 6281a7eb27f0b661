package postgres

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// registerUUIDs makes pgx send ids that are strings in Go as 16 bytes. By itself pgx tries that with each id, fails, and
// sends a text, which the server has to parse.
func registerUUIDs(types *pgtype.Map) {
	one := &pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}}
	types.RegisterType(one)
	types.RegisterType(&pgtype.Type{Name: "_uuid", OID: pgtype.UUIDArrayOID, Codec: &pgtype.ArrayCodec{ElementType: one}})
}

type uuidCodec struct{ pgtype.UUIDCodec }

// PlanEncode implements pgtype.Codec.
func (c uuidCodec) PlanEncode(types *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(string); ok && format == pgtype.BinaryFormatCode {
		return encodeUUID{}
	}
	return c.UUIDCodec.PlanEncode(types, oid, format, value)
}

type encodeUUID struct{}

// Encode implements pgtype.EncodePlan. After an error pgx sends the text as it is, so callers get the server's own error.
func (encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	text, _ := value.(string)
	if len(text) != len(uuid.UUID{}.String()) { // uuid.Parse accepts other forms, too
		return nil, fmt.Errorf("no UUID: %q", text)
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("no UUID: %w", err)
	}
	return append(buf, id[:]...), nil
}
