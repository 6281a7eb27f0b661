// Package inbox makes handlers idempotent (the idempotent consumer pattern): the id of a message and its effects are
// committed in one transaction, so that a message delivered twice has its effects once.
//
// It takes what has arrived as one batch in one transaction, since a commit costs more than most handlers. When a batch
// fails its messages are run again one by one, each in a transaction of its own, so that a bad one harms no other.
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
	"example.com/orderflow/pkg/wire"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations makes the inbox's table.
func Migrations() postgres.Migrations { return postgres.Sub("inbox", files, "migrations") }

// Handler is what On makes of a function that handles one kind of message.
type Handler struct {
	kind    string
	command bool
	decode  func(body []byte) (messages.Message, error)
	handle  func(ctx context.Context, tx pgx.Tx, m messages.Message) error
}

// On registers a function for the kind of message that it takes. Its effects are rows in tx, and its error is the
// instruction what to do with the message (bus/verdict.go). It may be called again for a message whose transaction did
// not commit, so it must do nothing else.
func On[M messages.Message](handle func(ctx context.Context, tx pgx.Tx, m M) error) Handler {
	var zero M
	_, command := any(zero).(messages.Command)
	return Handler{
		kind:    zero.Kind(),
		command: command,
		decode: func(body []byte) (messages.Message, error) {
			var m M
			if err := wire.Read(body, &m); err != nil {
				return nil, fmt.Errorf("malformed body: %w", err)
			}
			return m, nil
		},
		handle: func(ctx context.Context, tx pgx.Tx, m messages.Message) error {
			return handle(ctx, tx, m.(M)) //nolint:forcetypeassert // decode, above, has made it
		},
	}
}

// Inbox runs a service's handlers.
type Inbox struct {
	db       *postgres.DB
	log      *slog.Logger
	handlers map[string]Handler
	before   func(ctx context.Context, tx pgx.Tx, batch []messages.Message) error
}

// New returns an inbox with its handlers, one for each kind.
func New(db *postgres.DB, log *slog.Logger, handlers ...Handler) *Inbox {
	in := &Inbox{db: db, log: log, handlers: map[string]Handler{}}
	for _, h := range handlers {
		in.handlers[h.kind] = h
	}
	return in
}

// Before registers what to do at the start of each transaction with all its messages in hand: to lock what they are
// about in one order, where their subjects do not name it.
func (in *Inbox) Before(f func(ctx context.Context, tx pgx.Tx, batch []messages.Message) error) {
	in.before = f
}

// Commands returns the kinds of the commands that the handlers take, sorted: what to bind the command queue to.
func (in *Inbox) Commands() []string { return in.kinds(true) }

// Events returns the kinds of the events that the handlers take, sorted: what to bind the event queue to.
func (in *Inbox) Events() []string { return in.kinds(false) }

func (in *Inbox) kinds(command bool) []string {
	var kinds []string
	for kind, h := range in.handlers {
		if h.command == command {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// letter is a delivery that could be read.
type letter struct {
	bus.Delivery
	index   int // in the batch as it arrived
	content messages.Message
	handle  func(ctx context.Context, tx pgx.Tx, m messages.Message) error
}

// Handle is a bus.Handler.
func (in *Inbox) Handle(ctx context.Context, batch []bus.Delivery) []error {
	errs := make([]error, len(batch))
	var letters []letter
	for i, d := range batch {
		l, err := in.open(d)
		if err != nil {
			errs[i] = bus.Reject(err)
			continue
		}
		l.index = i
		letters = append(letters, l)
	}
	// Two replicas that lock rows in different orders would wait for each other. Rows belong to subjects, so handling
	// each batch in the order of subjects makes the order of locks one. What is about the same subject keeps its order.
	slices.SortStableFunc(letters, func(a, b letter) int { return cmp.Compare(a.Subject, b.Subject) })

	if len(letters) > 1 {
		err := in.run(ctx, letters)
		if err == nil {
			return errs
		}
		in.log.WarnContext(ctx, "batch failed, its messages are run one by one", "messages", len(letters), "error", err)
		failpoint.At("inbox.divided")
	}
	for i, l := range letters {
		err := in.run(ctx, letters[i:i+1])
		if err != nil && in.away(ctx, err) {
			errs[l.index] = bus.Hold(err) // the whole batch comes again; what is done by now is known by its id
			return errs
		}
		if postgres.NeverWorks(err) {
			err = bus.Reject(err)
		}
		errs[l.index] = err
	}
	return errs
}

// open reads a delivery. Every error is final: a message that cannot be read never will be.
func (in *Inbox) open(d bus.Delivery) (letter, error) {
	h, ok := in.handlers[d.Kind]
	if !ok {
		return letter{}, fmt.Errorf("no handler for kind %q", d.Kind)
	}
	id, err := uuid.Parse(d.ID)
	if err != nil {
		return letter{}, fmt.Errorf("message id %q: %w", d.ID, err)
	}
	content, err := h.decode(d.Body)
	if err != nil {
		return letter{}, err
	}
	if content.Subject() == "" {
		return letter{}, fmt.Errorf("invalid %s: it is about nothing", d.Kind)
	}
	if v, ok := content.(messages.Validator); ok {
		if err := v.Validate(); err != nil {
			return letter{}, fmt.Errorf("invalid %s: %w", d.Kind, err)
		}
	}
	d.ID, d.Subject = id.String(), content.Subject()
	return letter{Delivery: d, content: content, handle: h.handle}, nil
}

// run commits the effects of letters and their ids in one transaction.
func (in *Inbox) run(ctx context.Context, letters []letter) error {
	return in.db.Tx(ctx, func(tx pgx.Tx) error {
		fresh, err := unknown(ctx, tx, letters)
		if err != nil || len(fresh) == 0 {
			return err
		}
		if in.before != nil {
			contents := make([]messages.Message, len(fresh))
			for i, l := range fresh {
				contents[i] = l.content
			}
			if err := in.before(ctx, tx, contents); err != nil {
				return err
			}
		}
		for _, l := range fresh {
			ctx, end := telemetry.Consume(bus.WithCause(ctx, l.ID), l.Kind, l.TraceParent, l.TraceState)
			err := l.handle(ctx, tx, l.content)
			end(err)
			if err != nil {
				return fmt.Errorf("%s about %s: %w", l.Kind, l.Subject, err)
			}
		}
		return nil
	})
}

// unknown records the ids of letters and returns those that were not there before. A second transaction with the same
// id waits here until the first has ended.
func unknown(ctx context.Context, tx pgx.Tx, letters []letter) ([]letter, error) {
	ids := make([]string, len(letters))
	for i, l := range letters {
		ids[i] = l.ID
	}
	slices.Sort(ids) // the order of locks, here too
	failpoint.At("inbox.begun")
	rows, err := tx.Query(ctx, `
		INSERT INTO inbox (id)
		SELECT unnest($1::uuid[])
		ON CONFLICT DO NOTHING
		RETURNING id::text`, ids)
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	inserted, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	failpoint.At("inbox.noted")
	left := map[string]bool{}
	for _, id := range inserted {
		left[id] = true
	}
	var fresh []letter
	for _, l := range letters {
		if left[l.ID] { // the same id twice in one batch: only the first
			delete(left, l.ID)
			fresh = append(fresh, l)
		}
	}
	return fresh, nil
}

const pingTimeout = 2 * time.Second

// away reports whether the database is the reason for err: then no message is to blame.
func (in *Inbox) away(ctx context.Context, err error) bool {
	if postgres.Unavailable(err) {
		return true
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	return in.db.Ping(ctx) != nil
}
