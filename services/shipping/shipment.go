package main

import (
	"cmp"
	"slices"
	"time"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
)

// status is where a shipment stands: requested, arranged, dispatched, in transit, delivered; or it has failed, or was
// cancelled. All but requested are stages, and are called what the carrier calls them.
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

// progress is how far along a stage is. What is not here is no stage that anybody is told about.
var progress = map[status]int{arranged: 1, dispatched: 2, inTransit: 3, delivered: theEnd, failed: theEnd, cancelled: theEnd}

func (s status) final() bool { return progress[s] == theEnd }

// left reports whether the parcel is out of reach, and went where it should.
func (s status) left() bool { return s == dispatched || s == inTransit || s == delivered }

// reason is why a shipment failed.
type reason string

const (
	undeliverable      reason = "undeliverable"
	addressRefused     reason = "address_refused" // nothing was shipped
	parcelRefused      reason = "parcel_refused"  // nothing was shipped, for another reason than the address
	cancelledByCarrier reason = "cancelled_by_carrier"
	settledByHand      reason = "settled_by_hand" // an operator says so
)

// stage is a step on a parcel's way, and when it was taken.
type stage struct {
	Stage status    `json:"stage"`
	At    time.Time `json:"at"`
}

// shipment is the one shipment of an order. Its methods decide and do nothing else: they take a shipment as it is and
// return an outcome.
type shipment struct {
	OrderID           string
	Address           messages.Address // empty, like Lines, when the cancellation came first
	Lines             []messages.Line
	Status            status // empty: nothing is known of it yet
	Reason            reason
	Carrier           string
	TrackingNumber    string // empty until it is arranged
	EstimatedDelivery *time.Time
	Stages            []stage // in the order in which they were announced
	CancelWanted      bool    // the carrier is to call it back, and has not answered yet
	DueAt             *time.Time
	Attempts          int           // claims since the last progress
	AskedAt           *time.Time    // when the carrier may last have been asked to ship it; nil: never, or it has answered
	LastError         string        // what the last attempt ended with
	Origin            outbox.Origin // the command that brought it where it is
	CreatedAt         time.Time
	UpdatedAt         time.Time // of the last progress
	settlement
}

// followed reports whether nothing is to be done about a shipment but to hear how far its parcel has come.
func (s shipment) followed() bool { return s.TrackingNumber != "" && !s.CancelWanted }

// claim is a shipment that a worker has leased, or the tracker has in hand, as it was then.
type claim struct {
	shipment
	Before *time.Time // AskedAt before this claim
}

// ships reports whether the claim is to have the parcel shipped.
func (c claim) ships() bool { return c.TrackingNumber == "" && !c.CancelWanted }

// outcome is what a command, or a word of the carrier, makes of a shipment.
type outcome struct {
	shipment shipment           // as it is from now on
	send     []messages.Message // to send with it
}

// arrange is what ArrangeShipment makes of it. Asked again, it repeats whatever has been announced so far: orders asks
// again when it has not heard an answer.
func (s shipment) arrange(m messages.ArrangeShipment, now time.Time) outcome {
	if s.Status != "" {
		return outcome{s, s.announced(0)}
	}
	s.Status, s.Address, s.Lines, s.Stages = requested, m.Address, m.Lines, []stage{}
	s.CreatedAt, s.UpdatedAt, s.DueAt = now, now, &now
	return outcome{shipment: s}
}

// cancel is what CancelShipment makes of it. One that nobody has asked for yet is cancelled for good: the
// ArrangeShipment that was overtaken finds it so.
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

// apply is what the carrier's answer to a claim makes of it. Meanwhile it may have been cancelled, or another worker may
// have heard the same or more: what counts is the shipment as it is now. again says when the next claim is due.
func (s shipment) apply(c claim, p parcel, now time.Time, again func(attempts int) time.Time) outcome {
	switch {
	case s.Status == cancelled:
		return s.retrieve(c, p, now)
	case s.Status.final():
		return outcome{shipment: s}
	case p.TrackingNumber != "":
		return s.learn(c, p, now, again)
	case s.Status != requested || p.Refused == "" && !same(s.AskedAt, c.AskedAt):
		return outcome{shipment: s} // another worker knows better, or may just have asked to ship it
	}
	end := stage{cancelled, now} // there is no parcel, and there will be none
	if p.Refused != "" {
		s.Reason = p.Refused
		end.Stage = failed
	}
	return s.reach(now, end)
}

// learn takes over how far the parcel has come. If it is to be called back and has left, that is refused.
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
	case next.CancelWanted && !c.CancelWanted: // the carrier has not been asked to: on with it
		next.DueAt = &now
	case same(s.DueAt, c.DueAt): // nobody else has claimed it since
		due := again(next.Attempts)
		next.DueAt = &due
	}
	return t
}

// retrieve is the outcome for a shipment that is cancelled already, in case that the carrier has it all the same: the worker
// that had asked for it was frozen for longer than the others could know.
func (s shipment) retrieve(c claim, p parcel, now time.Time) outcome {
	switch {
	case p.Kept:
		s.CancelWanted, s.DueAt, s.AskedAt, s.LastError = false, nil, nil, astray
	case p.alive():
		s.Carrier, s.TrackingNumber = p.Carrier, p.TrackingNumber
		s.CancelWanted, s.DueAt = true, &now
	case same(s.AskedAt, c.AskedAt): // it has not, or no longer
		s.CancelWanted, s.DueAt, s.AskedAt, s.LastError = false, nil, nil, ""
	}
	return outcome{shipment: s}
}

// astray is the one error that no worker gets over: orders has been told that nothing is shipped.
const astray = "the parcel has left although its shipment was cancelled"

// unanswered is what a claim without an answer makes of it. noEffect says that the carrier has certainly shipped nothing
// because of it: then it counts when it was asked before. Otherwise it may have been asked until now.
func (s shipment) unanswered(c claim, noEffect bool, lastError string, now time.Time, again func(attempts int) time.Time) outcome {
	unclear := !noEffect && c.ships() && s.TrackingNumber == "" && (s.Status == requested || s.Status == cancelled)
	switch {
	case unclear:
		s.AskedAt = &now
	case noEffect && same(s.AskedAt, c.AskedAt):
		s.AskedAt = c.Before
	}
	switch {
	case s.Status == requested && s.CancelWanted && s.AskedAt == nil: // it never left the house
		return s.reach(now, stage{cancelled, now})
	case s.Status == cancelled && unclear: // by a worker that was frozen, as above
		s.CancelWanted, s.DueAt, s.LastError = true, &now, lastError
	case same(s.DueAt, c.DueAt): // nobody else has claimed it since
		due := again(c.Attempts)
		s.DueAt, s.LastError = &due, lastError
	}
	return outcome{shipment: s}
}

// reach takes over stages: those that are new are taken over in the order of progress, with one event for
// all of them. A stage is new once, so it is told once; a parcel that has come to its end stays there, whatever is said later.
func (s shipment) reach(now time.Time, stages ...stage) outcome {
	known := len(s.Stages)
	s.Stages = slices.Clone(s.Stages)
	for _, st := range slices.SortedStableFunc(slices.Values(stages), func(a, b stage) int { return progress[a.Stage] - progress[b.Stage] }) {
		heard := slices.ContainsFunc(s.Stages, func(k stage) bool { return k.Stage == st.Stage })
		if progress[st.Stage] == 0 || heard || s.Status.final() {
			continue
		}
		if st.Stage == cancelled && !s.CancelWanted { // nobody has asked for that: it will not arrive
			st.Stage, s.Reason = failed, cancelledByCarrier
		}
		if st.At.IsZero() {
			st.At = now
		}
		s.Stages = append(s.Stages, st)
		if progress[st.Stage] > progress[s.Status] { // one that was reported late takes nothing back
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

// announced returns the event that tells of the stages from one on, if there are any.
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
