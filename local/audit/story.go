package audit

import (
	"fmt"
	"strings"
	"time"
)

// Story is everything that the books say about an order, a product or a queue. A person needs it to find the cause of a
// breach.
type Story []Note

// Note is an entry of one of the books.
type Note struct {
	In   string `json:"in"`
	Says string `json:"says"`
}

func (s *Story) add(in, format string, args ...any) {
	*s = append(*s, Note{in, fmt.Sprintf(format, args...)})
}

// story tells the story of an order (by its id), or of another subject of messages.
func (b *indexed) story(subject string) Story {
	s := Story{}
	if o := b.order[subject]; o != nil {
		s.order(*o)
	}
	for _, p := range b.Promises {
		if p.OrderID == subject {
			s.add("orders", "promised to %s under key %s", p.Customer, p.Key)
		}
	}
	for _, e := range b.logged[subject] {
		s.add("operators", "%s", e.says())
	}
	b.tellMoney(&s, subject)
	b.tellStock(&s, subject)
	b.tellParcels(&s, subject)
	for _, m := range b.Outboxes {
		if m.Subject == subject || m.Where == subject {
			s.add(m.Where, "%s", m.says())
		}
	}
	for _, m := range b.DeadLetters {
		if m.Subject == subject || m.Where == subject {
			s.add(m.Where, "%s", m.says())
		}
	}
	return s
}

func (s *Story) order(o Order) {
	s.add("orders", "%s", spaced(o.Status, o.Reason, "placed", at(o.PlacedAt), "by", o.Customer, "for", o.Total.String()+":", units(o.Lines)))
	if o.AttentionSince != nil {
		s.add("orders", "a person has been told %s", at(*o.AttentionSince))
	}
	for _, e := range o.Timeline {
		what := e.What
		if e.Operator+e.Why != "" {
			what += ": " + spaced(e.Operator, e.Why)
		}
		s.add("timeline", "%2d  %s  %-11s  %s", e.Seq, at(e.At), e.Status, what)
	}
}

func (b *indexed) tellMoney(s *Story, id string) {
	if p := b.payment[id]; p != nil {
		s.add("payments", "%s", spaced(p.Status, p.Amount.String(), p.Code, p.ChargeID, p.RefundID, due(p.DueAt), p.LastError))
	}
	for _, e := range b.entries[id] {
		s.add("provider", "%s", spaced(fmt.Sprintf("#%d", e.Seq), at(e.At), e.Kind, e.money().String(), e.Code, e.ID, "key", e.Key))
	}
}

func (b *indexed) tellStock(s *Story, id string) {
	if r := b.reservation[id]; r != nil {
		s.add("inventory", "%s", spaced("reservation", r.Status, units(r.Lines)))
	}
	for _, m := range b.moved[id] {
		s.add("inventory", "%s %s %d x %s", at(m.At), m.What, m.Quantity, m.SKU)
	}
}

func (b *indexed) tellParcels(s *Story, id string) {
	if p := b.shipment[id]; p != nil {
		s.add("shipping", "%s", spaced(p.Status, p.Reason, p.TrackingNumber, units(p.Lines), stages(p.Stages), due(p.DueAt), p.LastError))
	}
	for _, p := range b.parcels[id] {
		s.add("carrier", "%s", spaced(p.Status, p.TrackingNumber, units(p.Lines), stages(p.Stages)))
	}
}

// ofProduct is the story of a product. It is complete after the last part.
func (b *indexed) ofProduct(p Product) (s Story) {
	s.add("inventory", "%s, %s: %d available, %d reserved, %d backordered, %d on order", p.Name, p.Price, p.Available, p.Reserved, p.Backordered, p.OnOrder)
	shelf := b.sums.shelf(p.SKU)
	for _, what := range []string{"initial", "replenished", "taken"} {
		t := shelf.moved[what]
		s.add("inventory", "%s: %d in %s", what, t.units, count(t.times, "movement", "movements"))
	}
	for _, open := range shelf.open {
		s.add("inventory", "%s", open)
	}
	return s
}

func stages(stages []Stage) string {
	texts := make([]string, len(stages))
	for i, s := range stages {
		texts[i] = s.Stage + " " + at(s.At)
	}
	return strings.Join(texts, ", ")
}

func at(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

func due(t *time.Time) string {
	if t == nil {
		return ""
	}
	return "due " + at(*t)
}

// spaced joins the words that are not empty.
func spaced(words ...string) string {
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}
