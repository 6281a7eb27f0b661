// Package tally lets a service tell how many of its last rows are in which status, so that the books of several services can be
// compared while the system works. A tally is a bounded read by the primary key: nothing is counted when a row is written.
package tally

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/web"
)

const (
	// Window is how many of the last rows a tally has whose reader does not say where it begins.
	Window = 10_000
	// Most is how many rows a tally counts at most, the last ones.
	Most = 2 * Window
)

// Tally is what a service tells. Ids are UUIDv7, so that their order is that of time.
type Tally struct {
	Since uuid.UUID   `json:"since"` // the id of the first row
	Rows  []Row       `json:"rows"`
	Lost  []uuid.UUID `json:"lost,omitempty"` // ids that should have a row and have none
}

// Row is how many rows are in a status.
type Row struct {
	Status   string `json:"status"`
	Currency string `json:"currency,omitempty"` // empty: the rows have no amounts
	Count    int64  `json:"count"`
	Amount   int64  `json:"amount,omitempty"` // their sum, in minor units
}

// Count returns the tally since an id. sql selects status, currency, count and sum, grouped by status and currency, of the rows
// whose id is at least $1, the last $2 of them. An error is a path that begins with what is counted.
func Count(ctx context.Context, db *postgres.DB, what string, since uuid.UUID, sql string) (Tally, error) {
	rows, err := postgres.Planned(ctx, db, pgx.RowToStructByPos[Row], sql, since, Most)
	if err != nil {
		return Tally{}, fmt.Errorf("count %s: %w", what, err)
	}
	return Tally{Since: since, Rows: rows}, nil
}

// Register adds GET /api/operations/books. Its parameter since is the id with which the tally begins; without it, the tally has
// the last rows. read gets the zero id then.
func Register(server *web.Server, operator echo.MiddlewareFunc, read func(ctx context.Context, since uuid.UUID) (Tally, error)) {
	const path = "/api/operations/books"
	server.Takes(path, "since")
	server.GET(path, func(c echo.Context) error {
		since := uuid.Nil
		if text := c.QueryParam("since"); text != "" {
			var err error
			if since, err = uuid.Parse(text); err != nil {
				return fault.New(fault.Malformed, "since is not an id").Because(err)
			}
		}
		t, err := read(c.Request().Context(), since)
		if err != nil {
			return err
		}
		if t.Rows == nil {
			t.Rows = []Row{}
		}
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.JSON(http.StatusOK, t)
	}, operator)
}
