// Package inbox makes handlers idempotent (the idempotent consumer pattern): the id of a message and its effects are
// committed in one transaction, so a message that is delivered twice has its effects once.
//
// A batch of messages is one unit of work (pkg/unit): the ids and the rows that the messages are about are loaded together,
// each message is decided in memory, and the changes are saved together.
package inbox

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/telemetry"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/wire"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations creates the inbox's table.
func Migrations() postgres.Migrations { return postgres.Sub("inbox", files, "migrations") }

// Work is a service's unit of work.
type Work interface {
	unit.Work
	// About names the rows that a message is about.
	About(m messages.Message)
}

// Handler decides about one kind of message. On makes one.
type Handler[W Work] struct {
	kind    string
	command bool
	decode  func(body []byte) (messages.Message, error)
	decide  func(ctx context.Context, w W, m messages.Message) error
}

// On returns a handler for the kind of message that decide takes. decide changes, in memory, rows of the unit of work that
// the message is about. When it returns an error it has changed nothing; the error says what to do with the message
// (bus/verdict.go). decide may be called again when the transaction did not commit, so it must do nothing else.
func On[W Work, M messages.Message](decide func(ctx context.Context, w W, m M) error) Handler[W] {
	var zero M
	_, command := any(zero).(messages.Command)
	return Handler[W]{
		kind:    zero.Kind(),
		command: command,
		decode: func(body []byte) (messages.Message, error) {
			var m M
			if err := wire.Read(body, &m); err != nil {
				return nil, fmt.Errorf("malformed body: %w", err)
			}
			return m, nil
		},
		decide: func(ctx context.Context, w W, m messages.Message) error {
			return decide(ctx, w, m.(M)) //nolint:forcetypeassert // decode, above, returns an M
		},
	}
}

// Inbox runs a service's handlers.
type Inbox[W Work] struct {
	db       *postgres.DB
	log      *slog.Logger
	office   *unit.Office[*once[W]]
	handlers map[string]Handler[W]
}

// New returns an inbox with its handlers, one for each kind. open makes a unit of work.
func New[W Work](db *postgres.DB, log *slog.Logger, open func() W, handlers ...Handler[W]) *Inbox[W] {
	in := &Inbox[W]{db: db, log: log, handlers: map[string]Handler[W]{}}
	in.office = unit.NewOffice(db, log, func() *once[W] { return &once[W]{work: open(), fresh: map[string]bool{}} })
	for _, h := range handlers {
		in.handlers[h.kind] = h
	}
	return in
}

// Commands returns the kinds of the commands that the handlers take, sorted: what to bind the command queue to.
func (in *Inbox[W]) Commands() []string { return in.kinds(true) }

// Events returns the kinds of the events that the handlers take, sorted: what to bind the event queue to.
func (in *Inbox[W]) Events() []string { return in.kinds(false) }

func (in *Inbox[W]) kinds(command bool) []string {
	var kinds []string
	for kind, h := range in.handlers {
		if h.command == command {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// lockedFor is after how long, about, a message is delivered again whose row is locked by another transaction.
const lockedFor = 5 * time.Second

// Handle is a bus.Handler. Up to unit.Most messages are one transaction. When ctx ends it finishes the transaction that has
// begun and returns Hold for the rest.
func (in *Inbox[W]) Handle(ctx context.Context, batch []bus.Delivery) []error {
	errs := make([]error, len(batch))
	var letters []letter[W]
	for i, d := range batch {
		l, err := in.open(d)
		if err != nil {
			errs[i] = bus.Reject(err)
			unreadable(ctx, d, errs[i])
			continue
		}
		l.index = i
		letters = append(letters, l)
	}
	// After sorting, messages about the same row are next to each other, whatever came between them. They keep their order.
	slices.SortStableFunc(letters, func(a, b letter[W]) int { return cmp.Compare(a.Subject, b.Subject) })
	span := begin(ctx, letters)
	decisions := make([]unit.Decision[*once[W]], len(letters))
	for i, l := range letters {
		decisions[i] = l.decision()
	}
	waited := 0
	for i, err := range in.office.Decide(ctx, decisions) {
		l := letters[i]
		switch {
		case err == nil:
		case postgres.Unavailable(err), ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
			err = bus.Hold(err) // the whole batch comes again; messages that are done are known by their ids
		case postgres.Waited(err):
			waited++
			err = bus.RetryIn(lockedFor, err)
		case postgres.NeverWorks(err):
			err = bus.Reject(err)
		}
		errs[l.index] = err
	}
	if waited > 1 { // it is not one row: the database is slow, or a table is locked
		for i, err := range errs {
			if err != nil && postgres.Waited(err) {
				errs[i] = bus.Hold(err)
			}
		}
	}
	finish(span, letters, errs)
	return errs
}

// letter is a delivery that could be read.
type letter[W Work] struct {
	bus.Delivery
	index   int // in the batch as it arrived
	content messages.Message
	handler Handler[W]
	ctx     context.Context //nolint:containedctx // of handling it: its trace and cause
	span    telemetry.Span
}

// open reads a delivery. Every error is final: a message that cannot be read now cannot be read later.
func (in *Inbox[W]) open(d bus.Delivery) (letter[W], error) {
	h, ok := in.handlers[d.Kind]
	if !ok {
		return letter[W]{}, fmt.Errorf("no handler for kind %q", d.Kind)
	}
	id, err := uuid.Parse(d.ID)
	if err != nil {
		return letter[W]{}, fmt.Errorf("message id %q: %w", d.ID, err)
	}
	content, err := h.decode(d.Body)
	if err != nil {
		return letter[W]{}, err
	}
	if content.Subject() == "" {
		return letter[W]{}, fmt.Errorf("invalid %s: it is about nothing", d.Kind)
	}
	if v, ok := content.(messages.Validator); ok {
		if err := v.Validate(); err != nil {
			return letter[W]{}, fmt.Errorf("invalid %s: %w", d.Kind, err)
		}
	}
	d.ID, d.Subject = id.String(), content.Subject()
	return letter[W]{Delivery: d, content: content, handler: h}, nil
}

// decision returns the decision to handle the message, unless it was handled before.
func (l letter[W]) decision() unit.Decision[*once[W]] {
	return unit.Decision[*once[W]]{
		Name: func(o *once[W]) {
			o.ids = append(o.ids, l.ID)
			o.work.About(l.content)
		},
		Make: func(o *once[W]) error {
			if !o.fresh[l.ID] {
				l.span.Event("handled before")
				return nil
			}
			delete(o.fresh, l.ID) // when an id is twice in one batch, only the first is handled
			if err := l.handler.decide(l.ctx, o.work, l.content); err != nil {
				o.refused = append(o.refused, l.ID)
				return fmt.Errorf("%s about %s: %w", l.Kind, l.Subject, err)
			}
			return nil
		},
	}
}

// once is a unit of work with the ids of its messages.
type once[W Work] struct {
	work    W
	ids     []string
	fresh   map[string]bool // ids that were not there before
	refused []string
}

// Load records the ids and finds out which are new. A second transaction with the same id waits here until the first has
// ended.
func (o *once[W]) Load(ctx context.Context, tx *postgres.Tx) error {
	slices.Sort(o.ids) // the order of locks, here too
	recorded := false
	tx.Queue(`
		INSERT INTO inbox (id)
		SELECT unnest($1::uuid[])
		ON CONFLICT DO NOTHING
		RETURNING id::text`, o.ids).Query(func(rows pgx.Rows) error {
		recorded = true
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, id := range ids {
			o.fresh[id] = true
		}
		return err
	})
	if err := o.work.Load(ctx, tx); err != nil {
		return err
	}
	if !recorded { // work.Load had nothing to send; otherwise statements that it has left in the queue go with the save
		if err := tx.Flush(ctx); err != nil {
			return err
		}
	}
	failpoint.At("inbox.noted")
	return nil
}

// Save removes the ids of messages that were refused: they are not done.
func (o *once[W]) Save(ctx context.Context, tx *postgres.Tx) error {
	if len(o.refused) > 0 {
		tx.Queue(`
			DELETE FROM inbox
			WHERE id = ANY($1::uuid[])`, o.refused)
	}
	return o.work.Save(ctx, tx)
}
