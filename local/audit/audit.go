// Package audit holds the books of Orderflow against each other: the four databases, every queue, and the books of the
// payment provider, the carrier and the supplier, who share nothing with the system but what was said over HTTP. What it
// finds is what would be found in court: an order that was accepted and is not there, a card that was charged twice, a
// parcel that nobody has paid for.
//
// Read reads the books, Check is pure and holds them against the rules. A system that is at work is always a little at odds
// with itself, as its parts are only brought together by messages; Await looks until it is at rest.
package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Expectations is what the caller knows and the books cannot.
type Expectations struct {
	Accepted []string // ids of orders that a client was answered with a 202 for
	Dead     []string // ids of messages that are dead letters for a good reason
}

// Report is what an audit has found.
type Report struct {
	Orders   int              `json:"orders"`
	Needy    int              `json:"need_attention"` // orders that wait for a person, and are not at their end
	Rules    []Result         `json:"rules"`
	Breaches []Breach         `json:"breaches"`
	ByHand   []Deed           `json:"by_hand"`
	Stories  map[string]Story `json:"stories"` // of what breaches are about
}

// Result is a rule and how often it was held against something.
type Result struct {
	Rule     string `json:"rule"`
	Checked  int    `json:"checked"`
	Breaches int    `json:"breaches"`
}

// Breach is something that must not be.
type Breach struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject"` // an order's id, a SKU, or the name of a queue
	What    string `json:"what"`
}

// Deed is what a person did past the system. It is no breach, but somebody should be able to say why.
type Deed struct {
	Subject string `json:"subject"` // an order's id
	What    string `json:"what"`
}

// OK reports whether there is no breach.
func (r Report) OK() bool { return len(r.Breaches) == 0 }

// Err is nil when the books agree, and else an error that has the whole report.
func (r Report) Err() error {
	if r.OK() {
		return nil
	}
	var text strings.Builder
	r.Print(&text)
	return errors.New("the books do not agree\n" + text.String())
}

// Summary is the report in a line.
func (r Report) Summary() string {
	checks := 0
	for _, result := range r.Rules {
		checks += result.Checked
	}
	breaches := count(len(r.Breaches), "breach", "breaches")
	if r.OK() {
		breaches = "no breach"
	}
	return fmt.Sprintf("audit: %s, %d rules, %s, %s", count(r.Orders, "order", "orders"), len(r.Rules), count(checks, "check", "checks"), breaches)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// rule is something that has to be true, in words and in code. see is told of each thing that the rule was held against,
// and what is wrong with it; empty: nothing.
type rule struct {
	says string
	hold func(b *indexed, see func(subject, wrong string))
}

// unless says what is wrong unless something holds.
func unless(holds bool, format string, args ...any) string {
	if holds {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

// Check holds the books against the rules.
func Check(books Books, expected Expectations) Report {
	b := index(books, expected)
	report := Report{Orders: len(b.Orders), Breaches: []Breach{}, ByHand: append([]Deed{}, b.byHand()...), Stories: map[string]Story{}}
	for _, o := range b.Orders {
		if o.AttentionSince != nil && !b.Saga.final(o.Status) {
			report.Needy++
		}
	}
	for _, rule := range slices.Concat(orderRules, moneyRules, stockRules, parcelRules, messageRules) {
		result := Result{Rule: rule.says}
		rule.hold(b, func(subject, wrong string) {
			result.Checked++
			if wrong == "" {
				return
			}
			result.Breaches++
			report.Breaches = append(report.Breaches, Breach{rule.says, subject, wrong})
			if report.Stories[subject] == nil {
				report.Stories[subject] = b.story(subject)
			}
		})
		report.Rules = append(report.Rules, result)
	}
	slices.SortStableFunc(report.Breaches, func(x, y Breach) int { return cmp.Compare(x.Subject, y.Subject) })
	return report
}

// again is how long to wait before the books are read again.
const again = 500 * time.Millisecond

// Await reads and checks the books until there is no breach or patience is over, and returns the last report.
func Await(ctx context.Context, sources Sources, expected Expectations, patience time.Duration) (Report, error) {
	for deadline := time.Now().Add(patience); ; {
		books, err := Read(ctx, sources)
		if err != nil {
			return Report{}, err
		}
		report := Check(books, expected)
		if report.OK() || !time.Now().Before(deadline) {
			return report, nil
		}
		select {
		case <-ctx.Done():
			return report, ctx.Err()
		case <-time.After(again):
		}
	}
}
