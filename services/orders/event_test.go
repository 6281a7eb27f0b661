package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
)

func TestEachEntryOfTheTimelineHasAnEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	id := f.place()
	f.receive(messages.StockReserved{OrderID: id})
	f.receive(messages.PaymentTaken{OrderID: id, Amount: messages.Money{Amount: 2598, Currency: "EUR"}})
	f.call(http.MethodPost, "/api/orders/"+id+"/cancellation", "", f.as("olga"))
	f.receive(messages.ShipmentCancelled{ShipmentChange: messages.ShipmentChange{OrderID: id}})
	for range 4 {
		f.overdue(id)
	}
	f.call(http.MethodPost, "/api/operations/orders/"+id+"/note", `{"text":"called"}`, f.as("olga"))
	f.call(http.MethodPost, "/api/operations/orders/"+id+"/retry", "", f.as("olga"))
	want := "order_placed stock_reserved payment_taken cancellation_requested_by_shop shipment_cancelled attention_needed"
	read := func() (events, log string) {
		var seen tracking
		f.call(http.MethodGet, "/api/orders/"+id+"/tracking", "", f.as("olga")).into(t, &seen)
		for _, e := range seen.Timeline {
			events += " " + string(e.Event)
		}
		for _, a := range seen.Log {
			log += " " + string(a.Event)
		}
		return strings.TrimSpace(events), strings.TrimSpace(log)
	}
	if got, log := read(); got != want || !strings.HasPrefix(log, "cancellation_requested_by_shop note_added") {
		t.Errorf("the events are %s, and in the log %s", got, log)
	}
	var announced []string
	rows, err := f.db.Query(t.Context(), `
		SELECT jsonb_path_query(body::jsonb, '$.** ? (@.event != "").event') #>> '{}'
		FROM outbox
		WHERE kind LIKE 'orders.%'
		ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var event string
		if err := rows.Scan(&event); err != nil {
			t.Fatal(err)
		}
		announced = append(announced, event)
	}
	if got := strings.Join(announced, " "); rows.Err() != nil || got != want {
		t.Errorf("the events that were announced are %s, %v", got, rows.Err())
	}
	if _, err := f.db.Exec(t.Context(), `UPDATE timeline SET event = ''`); err != nil { // as the release before writes them
		t.Fatal(err)
	}
	if got, _ := read(); got != want {
		t.Errorf("the events of entries that the release before has written are %s", got)
	}
}

// An entry of an earlier release gets its event from its text, so no two events may have the same text.
func TestATextBelongsToOneEvent(t *testing.T) {
	t.Parallel()
	for in, s := range saga {
		for _, tr := range s.transitions {
			for _, text := range []string{tr.what, settledText + tr.what} {
				if got := eventOfText(text); got != eventOf(tr.on) {
					t.Errorf("%s: %q is read as %s, and is %s", in, text, got, eventOf(tr.on))
				}
			}
		}
	}
	for text, want := range map[string]event{
		"took too long, turning back": timedOut, "took too long, compensating": timedOut, "order placed": orderAccepted,
		"cancellation requested": cancellationRequested, "not shipped, refunding": "shipment_failed", "of another time": statusChanged,
	} {
		if got := eventOfText(text); got != want {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
	kinds := inbox.New(nil, nil, (*shop)(nil).work, (*shop)(nil).handlers()...).Events()
	for text, e := range goneTexts {
		if !slices.ContainsFunc(kinds, func(kind string) bool { return eventOf(kind) == e }) {
			t.Errorf("%q has the event %s, and there is no such message", text, e)
		}
	}
}
