// Package deadletters lets an operator see the messages that a service has given up, and replay or discard them, over HTTP.
// Looking changes nothing. Replays and discards are written to an audit before they are done.
package deadletters

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/web"
	"example.com/orderflow/pkg/wire"
	"github.com/jackc/pgx/v5"
	"github.com/labstack/echo/v4"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations creates the audit's table.
func Migrations() postgres.Migrations { return postgres.Sub("deadletters", files, "migrations") }

// From the inside out each limit is shorter than the next, so the caller gets an answer that says what is wrong.
const (
	turnWait   = time.Second             // how long a call waits for other calls, in this program and in other replicas
	lookWithin = 1800 * time.Millisecond // all of a list; bff-web waits 2 s for each service's
	deedWithin = 4500 * time.Millisecond // all that is done with one letter; the gateway waits 5 s

	comeBack  = time.Second
	wholeBody = 1 << 20 // bytes of a message
)

// Operations serves the dead letters of one service's queues.
type Operations struct {
	service string
	db      *postgres.DB
	queues  []*bus.DeadLetters
	turn    chan struct{} // holds one: a call takes two of the pool's connections, for the lock and for the audit
}

// New returns the operations on the dead letters of queues, with the audit in db.
func New(service string, db *postgres.DB, queues ...*bus.DeadLetters) *Operations {
	return &Operations{service, db, queues, make(chan struct{}, 1)}
}

// Register adds the routes behind the middleware operator, which lets only operators pass. (Each route is given the
// middleware, and not a group: a group of echo with middleware answers 404 instead of 405.)
func (o *Operations) Register(e *web.Server, operator echo.MiddlewareFunc) {
	e.Takes("/api/operations/dead-letters", "limit", "cursor", "queue", "kind", "reason", "error", "subject")
	e.GET("/api/operations/dead-letters", o.list, operator)
	e.GET("/api/operations/dead-letters/:id", o.get, operator)
	e.POST("/api/operations/dead-letters/:id/replay", o.replay, operator)
	e.POST("/api/operations/dead-letters/:id/discard", o.discard, operator)
}

// item is a dead letter as the API shows it.
type item struct {
	ID          string    `json:"id"` // "<service>.<message id>": tells the gateway which service has it
	Service     string    `json:"service"`
	Queue       string    `json:"queue"`
	Kind        string    `json:"kind"`
	Subject     string    `json:"subject"`
	MessageID   string    `json:"message_id"`
	Attempts    int       `json:"attempts"`
	Reason      string    `json:"reason"`
	Error       string    `json:"error"`
	FirstFailed time.Time `json:"first_failed_at,omitzero"`
	LastFailed  time.Time `json:"last_failed_at,omitzero"`
	TraceParent string    `json:"traceparent,omitempty"`
	Body        any       `json:"body"` // JSON if it is valid JSON with unique names, else text; in a list, the beginning of a long one
	BodyBytes   int       `json:"body_bytes"`
}

func (o *Operations) item(l bus.DeadLetter, bodyMost int) item {
	it := item{
		ID: o.service + "." + l.ID, Service: o.service, Queue: l.Queue, Kind: l.Kind, Subject: l.Subject, MessageID: l.ID,
		Attempts: l.Attempt, Reason: l.Reason, Error: l.Error, FirstFailed: l.FirstFailed, LastFailed: l.LastFailed, TraceParent: l.TraceParent, BodyBytes: len(l.Body),
	}
	if len(l.Body) <= bodyMost && wire.Valid(l.Body) {
		it.Body = json.RawMessage(l.Body)
	} else {
		it.Body = strings.ToValidUTF8(string(l.Body[:min(len(l.Body), bodyMost)]), "\uFFFD")
	}
	return it
}

func (o *Operations) get(c echo.Context) error {
	var found bus.DeadLetter
	err := o.find(c, func(ctx context.Context, q *bus.DeadLetters, id string) (err error) {
		found, err = q.Find(ctx, id)
		return err
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, o.item(found, wholeBody))
}

func (o *Operations) replay(c echo.Context) error {
	if err := web.NoFields(c); err != nil {
		return err
	}
	by := identity.From(c.Request().Context()).ID
	err := o.find(c, func(ctx context.Context, q *bus.DeadLetters, id string) error {
		return q.Replay(ctx, id, by, func(l bus.DeadLetter) error { return o.audit(ctx, by, "replay", "", l) })
	})
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (o *Operations) discard(c echo.Context) error {
	var request struct {
		Reason string `json:"reason"`
	}
	if err := web.JSON(c, &request); err != nil {
		return err
	}
	var fields fault.Fields
	request.Reason = web.Text(&fields, "reason", request.Reason, 1, 500)
	if err := fields.Err(); err != nil {
		return err
	}
	by := identity.From(c.Request().Context()).ID
	err := o.find(c, func(ctx context.Context, q *bus.DeadLetters, id string) error {
		return q.Discard(ctx, id, func(l bus.DeadLetter) error { return o.audit(ctx, by, "discard", request.Reason, l) })
	})
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// find calls use with each queue until one has the dead letter of the request's path.
func (o *Operations) find(c echo.Context, use func(ctx context.Context, q *bus.DeadLetters, id string) error) error {
	id, ours := strings.CutPrefix(c.Param("id"), o.service+".")
	err := error(fault.New(fault.NotFound, "no dead letter %s", c.Param("id")))
	if !ours {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), deedWithin)
	defer cancel()
	for _, q := range o.queues {
		err = o.alone(ctx, q, func(ctx context.Context) error { return use(ctx, q, id) })
		if err == nil || fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return err
}

// alone runs f while no other call looks at the same dead letters: while one looks, another one sees none. The result of f
// counts only if the lock was held until the end, which the commit shows.
//
// Within this program one call runs at a time, whatever the queue. Those that wait hold no connection, so any number of
// requests leaves the pool to others. Then the call waits for other replicas. After turnWait in all it returns Unavailable.
func (o *Operations) alone(ctx context.Context, q *bus.DeadLetters, f func(context.Context) error) error {
	waiting, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	busy := fault.New(fault.Unavailable, "somebody else is looking at the dead letters of %s", q.Queue()).After(comeBack)
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-waiting.Done():
		return busy.Because(waiting.Err())
	}
	conn, err := o.db.Acquire(waiting)
	switch {
	case err != nil && waiting.Err() != nil: // the time was up while it got a connection
		return busy.Because(err)
	case err != nil:
		return fmt.Errorf("dead letters: %w", err)
	}
	defer conn.Release()
	var done error
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		until, _ := waiting.Deadline()
		left := max(1, time.Until(until).Milliseconds()) // 0 would mean no limit
		if _, err := tx.Exec(ctx, `SELECT set_config('lock_timeout', $1, true)`, fmt.Sprintf("%dms", left)); err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		_, err := tx.Exec(ctx, `
			SELECT pg_advisory_xact_lock(hashtextextended('dead letters of ' || $1, 0))`, q.Queue())
		if err != nil {
			return busy.Because(err)
		}
		done = f(ctx)
		return nil
	})
	return cmp.Or(err, done)
}

// audit writes down an operation before it is done, in a transaction and on a connection of its own: the transaction that
// holds the lock commits only afterwards. When an operator repeats an operation that was interrupted or got no answer, the
// audit has it once.
func (o *Operations) audit(ctx context.Context, operator, action, why string, l bus.DeadLetter) error {
	var died *time.Time
	if !l.LastFailed.IsZero() {
		died = &l.LastFailed
	}
	_, err := o.db.Exec(ctx, `
		INSERT INTO dead_letter_audit (operator, action, why, queue, message_id, kind, reason, error, body, died_at)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
		WHERE NOT EXISTS (
			SELECT FROM dead_letter_audit
			WHERE operator = $1 AND action = $2 AND queue = $4 AND message_id = $5 AND died_at IS NOT DISTINCT FROM $10)`,
		operator, action, why, l.Queue, storable(l.ID), storable(l.Kind), storable(l.Reason), storable(l.Error), l.Body, died)
	if err != nil {
		return fault.New(fault.Unavailable, "the audit cannot be written now, so nothing was done").Because(err)
	}
	return nil
}

// storable returns s without characters that PostgreSQL's text cannot hold.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
