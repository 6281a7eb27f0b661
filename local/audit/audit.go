// Package audit holds the books of Orderflow against each other: the services' databases, every queue, and the books of the
// payment provider, the carrier and the supplier, who share nothing with the system but what was said over HTTP. What it
// finds is what would be found in court: an order that was accepted and is not there, a card that was charged twice, a
// parcel that nobody has paid for.
//
// Look reads the books, in parts of some thousand orders, so that a million orders need no more memory than ten thousand.
// What holds them against the rules is pure, and Check does so with books that are in memory. A system that is at work is
// always a little at odds with itself, as its parts are only brought together by messages; Await looks until it is at rest.
package audit

import (
	"context"
	"errors"
	"fmt"
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
	Rules    []Result         `json:"rules"`          // with the numbers of all checks and breaches
	Breaches []Breach         `json:"breaches"`       // the first breachesMost of them
	ByHand   []ManualAction   `json:"by_hand"`        // likewise
	Stories  map[string]Story `json:"stories"`        // of what breaches are about, up to storiesMost
}

// A mistake that hits a million orders is understood from some of them.
const (
	breachesMost = 10_000
	storiesMost  = 1000
)

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

// ManualAction is what a person did past the system. It is no breach, but somebody should be able to say why.
type ManualAction struct {
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
	checks, broken := 0, 0
	for _, result := range r.Rules {
		checks += result.Checked
		broken += result.Breaches
	}
	breaches := count(broken, "breach", "breaches")
	if broken == 0 {
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

// again is how long to wait before the books are read again.
const again = 500 * time.Millisecond

// Await looks until there is no breach, or one is still there in a look that began when timeout was over. It returns the
// last report.
func Await(ctx context.Context, sources Sources, expected Expectations, timeout time.Duration) (Report, error) {
	for deadline := time.Now().Add(timeout); ; {
		last := !time.Now().Before(deadline)
		report, err := Look(ctx, sources, expected)
		if err != nil || report.OK() || last {
			return report, err
		}
		select {
		case <-ctx.Done():
			return report, ctx.Err()
		case <-time.After(again):
		}
	}
}
