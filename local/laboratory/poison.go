package laboratory

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/system"
)

// takePayment is the kind of the bad message. Its amount is a word, so payments cannot read it, whatever it does.
const takePayment = "payments.take_payment"

// PoisonSubject is what such a message is about, instead of an order: the page and the auditor know it by that.
const PoisonSubject = "laboratory"

// poison publishes a message that its receiver can never handle. Only the broker's administrator may do this: every program has an
// account for its own messages alone.
func (d *Desk) poison(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	err := d.system.Load().Broker.Publish(r.Context(), "orderflow.commands", takePayment, map[string]any{
		"type": takePayment, "message_id": id, "correlation_id": PoisonSubject, "content_type": "application/json", "delivery_mode": 2,
		"timestamp": time.Now().Unix(),
	}, fmt.Sprintf(`{"order_id": %q, "amount": "much", "method": "tok_visa"}`, uuid.NewString()))
	if err != nil {
		refuse(w, http.StatusBadGateway, "the message was not published: %v", err)
		return
	}
	answer(w, http.StatusAccepted, map[string]string{"message_id": id, "kind": takePayment, "subject": PoisonSubject})
}

// A column without a value makes every INSERT of payments end with an error that a later attempt may not have. This is what a
// mistake in a release looks like to the messages: nothing is wrong with them.
const (
	makeMistake = `ALTER TABLE payments ADD mistake int NOT NULL DEFAULT 0; ALTER TABLE payments ALTER mistake DROP DEFAULT`
	findMistake = `SELECT count(*) FROM information_schema.columns WHERE table_name = 'payments' AND column_name = 'mistake'`
	mendMistake = `ALTER TABLE payments DROP mistake`
	mistakeFor  = 15 * time.Second // usually
	mistakeMost = time.Minute      // messages are given up after some minutes of attempts
)

// mistake puts a mistake into payments for a time.
func (d *Desk) mistake(w http.ResponseWriter, r *http.Request) {
	asked, ok := read(w, r)
	if !ok {
		return
	}
	within := cmp.Or(asked.within, mistakeFor)
	if within > mistakeMost {
		refuse(w, http.StatusUnprocessableEntity, "a mistake is mended after %s at the latest", mistakeMost)
		return
	}
	s := d.system.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.faulty {
		refuse(w, http.StatusConflict, "there is a mistake already")
		return
	}
	err := onPayments(r.Context(), s, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, makeMistake)
		return err
	})
	if err != nil {
		refuse(w, http.StatusBadGateway, "no mistake was made: %v", err)
		return
	}
	d.faulty = true
	d.doing.Go(func() {
		sleep(d.life, within)
		d.mend(s)
		d.mu.Lock()
		d.faulty = false
		d.mu.Unlock()
	})
	answer(w, http.StatusAccepted, map[string]string{"for": within.String()})
}

// mend takes the mistake away, as soon as the database answers. When the desk closes, it tries once more and then leaves it to the
// next desk.
func (d *Desk) mend(s *system.System) {
	for {
		last := d.life.Err() != nil
		err := onPayments(context.WithoutCancel(d.life), s, func(ctx context.Context, conn *pgx.Conn) error {
			var mistakes int
			if err := conn.QueryRow(ctx, findMistake).Scan(&mistakes); err != nil || mistakes == 0 {
				return err
			}
			_, err := conn.Exec(ctx, mendMistake)
			return err
		})
		if err == nil || last {
			return
		}
		sleep(d.life, time.Second)
	}
}

// onPayments does something to the database of payments. Its time is for the lock of the table, which is free between two
// transactions.
func onPayments(ctx context.Context, s *system.System, do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DatabaseURL("payments"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // all has been said
	return do(ctx, conn)
}
