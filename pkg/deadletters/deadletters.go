// Package deadletters lets an operator see the messages that a service has given up, put them back into their queue or
// throw them away, over HTTP. Looking takes nothing away; both are written down before they are done.
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

// Migrations makes the table of the audit.
func Migrations() postgres.Migrations { return postgres.Sub("deadletters", files, "migrations") }

// From the inside out, each time is shorter than the next, so that whoever asks gets an answer that says what is the matter.
const (
	turnWait   = time.Second             // for those who look before, in this program and in other replicas
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
	turn    chan struct{} // holds one: of the pool's connections, one keeps the lock, and one writes the audit
}

// New returns the operations on the dead letters of queues, with the audit in db.
func New(service string, db *postgres.DB, queues ...*bus.DeadLetters) *Operations {
	return &Operations{service, db, queues, make(chan struct{}, 1)}
}

// Register adds the routes behind the middleware operator, which lets operators pass only. (It is given to each route and
// not to a group: a group of echo with middleware answers 404 where 405 is right.)
func (o *Operations) Register(e *web.Server, operator echo.MiddlewareFunc) {
	e.Takes("/api/operations/dead-letters", "limit", "cursor", "queue", "kind", "reason", "subject")
	e.GET("/api/operations/dead-letters", o.list, operator)
	e.GET("/api/operations/dead-letters/:id", o.get, operator)
	e.POST("/api/operations/dead-letters/:id/replay", o.replay, operator)
	e.POST("/api/operations/dead-letters/:id/discard", o.discard, operator)
}

// item is a dead letter as the API shows it.
type item struct {
	ID          string    `json:"id"` // "<service>.<message id>": tells the gateway whose it is
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
	Body        any       `json:"body"` // JSON when it is, with each name once, else text; in a list, the beginning of a long one
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

// find tries use on each queue until one has the dead letter of the request's path.
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

// alone runs f while nobody else looks at the same dead letters, for while one looks, another sees none. What f has seen
// counts if the lock was held until the end, which the commit shows.
//
// In this program it is one at a time, whatever the queue: those who wait hold no connection, so that any number of requests
// leaves the pool to the others. Then it is the turn among replicas. Who waits for longer than turnWait gets Unavailable.
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
	case err != nil && waiting.Err() != nil: // it was its turn in the last moment
		return busy.Because(err)
	case err != nil:
		return fmt.Errorf("dead letters: %w", err)
	}
	defer conn.Release()
	var done error
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		until, _ := waiting.Deadline()
		left := max(1, time.Until(until).Milliseconds()) // 0 would be for ever
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

// audit writes down an operation before it is done, in a transaction of its own on a connection of its own: in the one that holds the
// lock it would be written down after, when that commits. An operator who does it again because it was
// interrupted, or got no answer, has decided once.
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

// storable is s without what PostgreSQL's text cannot hold.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
