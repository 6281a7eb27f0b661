// Package story is the story behind an order: the messages, requests and steps that have led to what it is, as a diagram.
package story

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
)

// Step is one step of an order's story: a message, a request, or a new entry in the timeline of the order.
type Step struct {
	At       time.Time
	From     string
	To       []string // several for an event with several receivers; From itself for what happens within a program
	Sort     string   // one of the sorts below
	Label    string
	Note     string
	Back     bool      // it belongs to a compensation
	Envelope *envelope // of a message
}

// The sorts of steps.
const (
	requestStep = "request" // HTTP
	failedStep  = "failed"  // HTTP, without an answer that counts
	commandStep = "command"
	eventStep   = "event"
	stateStep   = "state" // an entry in the timeline
	retryStep   = "retry" // a message waits after a failed attempt, or comes back
	deadStep    = "dead"  // a message is given up
)

// envelope is a message as the page shows it to a reader who wants to know all of it.
type envelope struct {
	ID, Kind, Source, Cause, Trace string
	Written, Seen                  time.Time
	Attempt                        int
	Queue, Error                   string
	Body                           string
}

// compensating are the commands that undo something, and their answers.
var compensating = kinds(messages.ReleaseStock{}, messages.StockReleased{}, messages.RefundPayment{}, messages.PaymentRefunded{},
	messages.CancelShipment{}, messages.ShipmentCancelled{}, messages.CancellationRefused{}, messages.OrderCancelled{})

// notAgain says what a repeated answer means.
var notAgain = map[string]string{
	messages.StockReserved{}.Kind(): "not reserved again", messages.PaymentTaken{}.Kind(): "not charged again",
	messages.PaymentRefunded{}.Kind(): "not refunded again", messages.ShipmentArranged{}.Kind(): "not sent again",
}

func kinds(all ...messages.Message) (names []string) {
	for _, m := range all {
		names = append(names, m.Kind())
	}
	return names
}

// receivers returns the programs whose queue is bound to a kind. A command has its owner; docs/messages.md lists those of
// events, and e2e compares them with the bindings.
func receivers(kind string) []string {
	owner, _, _ := strings.Cut(kind, ".")
	switch {
	case slices.Contains(messages.Commands(), kind):
		return []string{owner}
	case kind == messages.OrderCompleted{}.Kind():
		return []string{"inventory", upstream.Self}
	case owner == "orders":
		return []string{upstream.Self}
	default:
		return []string{"orders"}
	}
}

// TellStory returns the story of an order: the request, the timeline, calls of systems outside, and the messages that have passed
// while somebody looked, in the order in which they were written. Details of failures are for operators.
func TellStory(o orders.Order, timeline []orders.Authored, calls []Step, passages []bus.Passage, operator bool) []Step {
	steps := []Step{{At: o.CreatedAt, From: "gateway", To: []string{"orders"}, Sort: requestStep, Label: "POST /api/orders"}}
	for _, e := range timeline {
		steps = append(steps, stepsOf(e)...)
	}
	steps = append(steps, calls...)
	t := teller{sent: map[string]bool{}, kinds: map[string]bool{}, operator: operator}
	for _, p := range passages {
		steps = append(steps, t.step(p))
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.rank(), b.rank())) })
	return steps
}

// rank orders steps of the same time: what orders gets, what it decides, and what it sends.
func (s Step) rank() int {
	switch {
	case s.Sort == stateStep:
		return 1
	case s.From == "orders":
		return 2
	default:
		return 0
	}
}

// stepsOf returns the steps that an entry of the timeline stands for.
func stepsOf(e orders.Authored) (steps []Step) {
	if strings.HasPrefix(e.What, "cancellation requested") {
		steps = append(steps, Step{At: e.At, From: "gateway", To: []string{"orders"}, Sort: requestStep, Label: "POST …/cancellation", Back: true})
	}
	s := Step{At: e.At, From: "orders", To: []string{"orders"}, Sort: stateStep, Label: orders.Label(e.Status) + ": " + e.What, Back: slices.Contains(orders.Back, e.Status)}
	if e.Operator != "" {
		s.Note = strings.TrimSuffix("by "+e.Operator+": "+e.Why, ": ")
	}
	return append(steps, s)
}

// CallsOf returns the calls that a service has made of a system outside.
func CallsOf(service, party string, calls []Call) (steps []Step) {
	for _, c := range calls {
		s := Step{At: c.At, From: service, To: []string{party}, Sort: requestStep, Label: c.What, Note: fmt.Sprintf("%s after %d ms", c.Outcome, c.Took)}
		if s.Back = strings.Contains(c.What, "/refunds") || strings.HasSuffix(c.What, "/cancellation"); c.failed() {
			s.Sort = failedStep
		}
		steps = append(steps, s)
	}
	return steps
}

// Call is an attempt to call a system outside, as payments and shipping keep it.
type Call struct {
	At      time.Time `json:"at"`
	Took    int       `json:"took_ms"`
	What    string    `json:"what"`
	Outcome string    `json:"outcome"` // the status of the answer, or why there was none
}

// failed reports whether the outcome says nothing about the order, so that the system will be asked again.
func (c Call) failed() bool {
	status, err := strconv.Atoi(c.Outcome)
	return err != nil || status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
}

// teller turns passages into steps, in the order in which they came.
type teller struct {
	sent     map[string]bool // ids that were sent
	kinds    map[string]bool // kinds that were sent
	operator bool
}

func (t *teller) step(p bus.Passage) Step {
	s := Step{At: p.At, From: p.Source, To: receivers(p.Kind), Sort: eventStep, Back: slices.Contains(compensating, p.Kind), Envelope: t.envelope(p)}
	_, s.Label, _ = strings.Cut(p.Kind, ".")
	if slices.Contains(messages.Commands(), p.Kind) {
		s.Sort = commandStep
	}
	if p.Way != bus.Sent {
		t.returned(&s, p)
		return s
	}
	const soon = time.Second // it was in the outbox no longer than usual
	waited := p.At.Sub(p.Time)
	switch {
	case t.sent[p.ID]:
		s.Note = "the same message again: the inbox drops it"
	case t.kinds[p.Kind] && s.Sort == commandStep:
		s.Note = "asked again"
	case t.kinds[p.Kind] && p.Source != "orders":
		s.Note = strings.TrimSuffix("answered again, "+notAgain[p.Kind], ", ")
	case waited > soon:
		s.Note = fmt.Sprintf("was in the outbox for %s", rounded(waited))
	}
	if !t.sent[p.ID] && waited <= soon {
		s.At = p.Time // the clock of the sender, since messages of several senders overtake each other on the way to us
	}
	t.sent[p.ID], t.kinds[p.Kind] = true, true
	return s
}

// returned describes a message that has left its queue without being done, or comes back.
func (t *teller) returned(s *Step, p bus.Passage) {
	receiver, _, _ := strings.Cut(p.Queue, ".")
	s.From, s.To, s.Sort = receiver, []string{receiver}, retryStep
	why := ""
	if t.operator && p.Error != "" {
		why = ": " + clipped(p.Error)
	}
	switch p.Way {
	case bus.Delayed:
		s.Note = fmt.Sprintf("attempt %d failed, the next one in %s%s", max(1, p.Attempt-1), rounded(p.Wait), why)
	case bus.GivenUp:
		s.Sort = deadStep
		s.Note = fmt.Sprintf("given up (%s), now a dead letter%s", p.Dead, why)
	case bus.Back:
		if s.Note = fmt.Sprintf("attempt %d", p.Attempt); t.operator && p.By != "" {
			s.Note = "replayed by " + p.By
		}
	}
}

func (t *teller) envelope(p bus.Passage) *envelope {
	e := &envelope{
		ID: p.ID, Kind: p.Kind, Source: p.Source, Cause: p.CausationID, Written: p.Time, Seen: p.At, Attempt: p.Attempt, Queue: p.Queue,
		Body: string(p.Body),
	}
	if parts := strings.Split(p.TraceParent, "-"); len(parts) == 4 {
		e.Trace = parts[1]
	}
	if t.operator {
		e.Error = p.Error
	}
	var indented bytes.Buffer
	if json.Indent(&indented, p.Body, "", "  ") == nil {
		e.Body = indented.String()
	}
	return e
}

// clipped returns the beginning of a text that has to fit into the diagram. The envelope has all of it.
func clipped(text string) string {
	const most = 90 // characters
	if all := []rune(text); len(all) > most {
		return string(all[:most]) + "…"
	}
	return text
}

// rounded returns a duration with about two digits.
func rounded(d time.Duration) time.Duration {
	for _, unit := range []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Millisecond} {
		if d >= 10*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Millisecond)
}
