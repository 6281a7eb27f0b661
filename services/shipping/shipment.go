package main

import (
	"cmp"
	"slices"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
)

// status is the status of a shipment: requested, arranged, dispatched, in_transit, delivered, or failed or cancelled. All but
// requested are stages; they have the carrier's names.
type status string

const (
	requested  status = "requested"
	arranged   status = "arranged"
	dispatched status = "dispatched"
	inTransit  status = "in_transit"
	delivered  status = "delivered"
	failed     status = "failed"
	cancelled  status = "cancelled"
)

const theEnd = 4

// progress is how far along a stage is. Statuses that are missing here are not stages, and are never announced.
var progress = map[status]int{arranged: 1, dispatched: 2, inTransit: 3, delivered: theEnd, failed: theEnd, cancelled: theEnd}

func (s status) final() bool { return progress[s] == theEnd }

// left reports whether the parcel can no longer be called back because it is on its way or delivered.
func (s status) left() bool { return s == dispatched || s == inTransit || s == delivered }

// reason is why a shipment failed.
type reason string

const (
	undeliverable      reason = "undeliverable"
	addressRefused     reason = "address_refused" // nothing was shipped
	parcelRefused      reason = "parcel_refused"  // nothing was shipped, for a reason other than the address
	cancelledByCarrier reason = "cancelled_by_carrier"
	settledByHand      reason = "settled_by_hand" // an operator has reported the failure
)

// stage is a stage of a parcel and the time when it was reached.
type stage struct {
	Stage status    `json:"stage"`
	At    time.Time `json:"at"`
}

// shipment is the one shipment of an order. Its methods are pure: they take a shipment and return an outcome.
type shipment struct {
	OrderID           string
	Address           messages.Address // empty, like Lines, if the cancellation came first
	Lines             []messages.Line
	Status            status // empty: there is no shipment yet
	Reason            reason
	Carrier           string
	TrackingNumber    string // empty until it is arranged
	EstimatedDelivery *time.Time
	Stages            []stage // in the order in which they were announced
	CancelWanted      bool    // the carrier must call the parcel back and has not answered yet
	DueAt             *time.Time
	Attempts          int              // number of claims since the last progress
	AskedAt           *time.Time       // when the carrier may last have been asked to ship it; nil: never, or it has answered
	LastError         string           // the error of the last attempt
	Calls             []client.Attempt `json:"-"` // of the carrier about this shipment alone, the last ones: only for people
	Origin            outbox.Origin    // the command that caused its status
	CreatedAt         time.Time
	UpdatedAt         time.Time // time of the last progress
	settlement
}

// followed reports whether the shipment only needs tracking: it has a parcel that is not being called back.
func (s shipment) followed() bool { return s.TrackingNumber != "" && !s.CancelWanted }

// claim is a shipment as it was when a worker leased it or the tracker took it.
type claim struct {
	shipment
	Before *time.Time // AskedAt before this claim
}

// ships reports whether the claim is for shipping the parcel.
func (c claim) ships() bool { return c.TrackingNumber == "" && !c.CancelWanted }

// outcome is the result of a command, or of an answer of the carrier, for a shipment.
type outcome struct {
	shipment shipment           // with its new state
	send     []messages.Message // messages to send
}

// arrange returns the outcome of ArrangeShipment. A repeated command is answered with everything that was announced so far:
// orders repeats it when an answer has not arrived.
func (s shipment) arrange(m messages.ArrangeShipment, now time.Time) outcome {
	if s.Status != "" {
		return outcome{s, s.announced(0)}
	}
	s.Status, s.Address, s.Lines, s.Stages = requested, m.Address, m.Lines, []stage{}
	s.CreatedAt, s.UpdatedAt, s.DueAt = now, now, &now
	return outcome{shipment: s}
}

// cancel returns the outcome of CancelShipment. A shipment that is not known yet is cancelled for good (a tombstone): the
// ArrangeShipment that was overtaken finds it cancelled.
func (s shipment) cancel(now time.Time) outcome {
	switch {
	case s.Status.left():
		return outcome{s, s.refuse()}
	case s.Status.final():
		return outcome{s, s.announced(len(s.Stages) - 1)}
	case s.CancelWanted: // the answer is on its way
		return outcome{shipment: s}
	case s.Status == "":
		s.CreatedAt, s.Lines = now, []messages.Line{}
	}
	s.CancelWanted = true
	if s.TrackingNumber == "" && s.AskedAt == nil { // the carrier knows nothing of it
		return s.reach(now, stage{cancelled, now})
	}
	s.DueAt, s.Attempts = &now, 0
	return outcome{shipment: s}
}

// apply returns the outcome of the carrier's answer to a claim. The shipment as it is now decides: since the claim it may have
// been cancelled, or another worker may have received the same answer or a newer one. again returns when the next claim is due.
func (s shipment) apply(c claim, p parcel, now time.Time, again func(attempts int) time.Time) outcome {
	switch {
	case s.Status == cancelled:
		return s.retrieve(c, p, now)
	case s.Status.final():
		return outcome{shipment: s}
	case p.TrackingNumber != "":
		return s.learn(c, p, now, again)
	case s.Status != requested || p.Refused == "" && !same(s.AskedAt, c.AskedAt):
		return outcome{shipment: s} // another worker has learned more, or may just have asked to ship it
	}
	end := stage{cancelled, now} // there is no parcel and there will be none
	if p.Refused != "" {
		s.Reason = p.Refused
		end.Stage = failed
	}
	return s.reach(now, end)
}

// learn applies the stages that the parcel has reached. If it should be called back and has left, the cancellation is refused.
func (s shipment) learn(c claim, p parcel, now time.Time, again func(attempts int) time.Time) outcome {
	s.Carrier, s.TrackingNumber = cmp.Or(p.Carrier, s.Carrier), p.TrackingNumber
	s.AskedAt, s.LastError = nil, ""
	if !p.EstimatedDelivery.IsZero() {
		s.EstimatedDelivery = &p.EstimatedDelivery
	}
	t := s.reach(now, p.Stages...)
	next := &t.shipment
	if s.CancelWanted && (next.Status.left() || p.Kept && !next.Status.final()) {
		next.CancelWanted = false
		t.send = append(s.refuse(), t.send...)
	}
	switch {
	case next.Status.final():
	case next.CancelWanted && !c.CancelWanted: // the carrier has not been asked to call it back: due at once
		next.DueAt = &now
	case same(s.DueAt, c.DueAt): // no other worker has claimed it since
		due := again(next.Attempts)
		next.DueAt = &due
	}
	return t
}

// retrieve returns the outcome for a shipment that is cancelled already. The carrier may have the parcel all the same, if a
// worker asked for it after it was frozen for longer than the other workers waited.
func (s shipment) retrieve(c claim, p parcel, now time.Time) outcome {
	switch {
	case p.Kept:
		s.CancelWanted, s.DueAt, s.AskedAt, s.LastError = false, nil, nil, astray
	case p.alive():
		s.Carrier, s.TrackingNumber = p.Carrier, p.TrackingNumber
		s.CancelWanted, s.DueAt = true, &now
	case same(s.AskedAt, c.AskedAt): // the carrier has no parcel, or has one that has ended
		s.CancelWanted, s.DueAt, s.AskedAt, s.LastError = false, nil, nil, ""
	}
	return outcome{shipment: s}
}

// astray is the only error that the workers cannot recover from: orders was told that nothing is shipped.
const astray = "the parcel has left although its shipment was cancelled"

// unanswered returns the outcome of a claim that got no answer. noEffect means that the carrier has certainly shipped nothing
// because of it; AskedAt then goes back to its earlier value. Otherwise the carrier may have been asked until now.
func (s shipment) unanswered(c claim, noEffect bool, lastError string, now time.Time, again func(attempts int) time.Time) outcome {
	unclear := !noEffect && c.ships() && s.TrackingNumber == "" && (s.Status == requested || s.Status == cancelled)
	switch {
	case unclear:
		s.AskedAt = &now
	case noEffect && same(s.AskedAt, c.AskedAt):
		s.AskedAt = c.Before
	}
	switch {
	case s.Status == requested && s.CancelWanted && s.AskedAt == nil: // the request certainly never reached the carrier
		return s.reach(now, stage{cancelled, now})
	case s.Status == cancelled && unclear: // asked for by a frozen worker, see retrieve
		s.CancelWanted, s.DueAt, s.LastError = true, &now, lastError
	case same(s.DueAt, c.DueAt): // no other worker has claimed it since
		due := again(c.Attempts)
		s.DueAt, s.LastError = &due, lastError
	}
	return outcome{shipment: s}
}

// reach adds the stages that are new, in the order of progress, with one event for all of them. Each stage is announced once.
// After a final stage, later reports are ignored.
func (s shipment) reach(now time.Time, stages ...stage) outcome {
	known := len(s.Stages)
	s.Stages = slices.Clone(s.Stages)
	for _, st := range slices.SortedStableFunc(slices.Values(stages), func(a, b stage) int { return progress[a.Stage] - progress[b.Stage] }) {
		heard := slices.ContainsFunc(s.Stages, func(k stage) bool { return k.Stage == st.Stage })
		if progress[st.Stage] == 0 || heard || s.Status.final() {
			continue
		}
		if st.Stage == cancelled && !s.CancelWanted { // we have not asked for that: the parcel will not arrive
			st.Stage, s.Reason = failed, cancelledByCarrier
		}
		if st.At.IsZero() {
			st.At = now
		}
		s.Stages = append(s.Stages, st)
		if progress[st.Stage] > progress[s.Status] { // a stage that is reported late does not lower the status
			s.Status = st.Stage
		}
	}
	if len(s.Stages) == known {
		return outcome{shipment: s}
	}
	s.UpdatedAt, s.Attempts = now, 0
	if s.Status.final() {
		s.CancelWanted, s.DueAt, s.AskedAt, s.LastError = false, nil, nil, ""
	}
	if s.Status == failed && s.Reason == "" {
		s.Reason = undeliverable
	}
	return outcome{s, s.announced(known)}
}

// announced returns the event about the stages from the given index on; nil if there are none.
func (s shipment) announced(from int) []messages.Message {
	last := len(s.Stages) - 1
	if last < from {
		return nil
	}
	c := messages.ShipmentChange{OrderID: s.OrderID, Carrier: s.Carrier, TrackingNumber: s.TrackingNumber, At: s.Stages[last].At}
	if s.EstimatedDelivery != nil {
		c.EstimatedDelivery = s.EstimatedDelivery.UTC()
	}
	if s.Status == failed {
		c.Reason = string(s.Reason)
	}
	if s.Status.final() {
		c.Settled = s.word()
	}
	for _, st := range s.Stages[from:last] {
		c.Earlier = append(c.Earlier, messages.ShipmentStage{Stage: string(st.Stage), At: st.At})
	}
	return []messages.Message{messages.ShipmentReached(string(s.Stages[last].Stage), c)}
}

func (s shipment) refuse() []messages.Message {
	return []messages.Message{messages.CancellationRefused{OrderID: s.OrderID}}
}

func same(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}
