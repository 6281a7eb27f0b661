// Package audit compares the books of Orderflow with each other: the services' databases, every queue, and the books of the
// payment provider, the carrier and the supplier, which learn of the system only through its HTTP calls. It finds, for
// example, an order that was accepted and is missing, a card that was charged twice, or a parcel that was not paid for.
//
// Look reads the books in parts of some thousand orders, so that a million orders need no more memory than ten thousand.
// The rules are pure functions over these books; Check applies them to books that are in memory. While a system works, its
// books never agree completely, because its services exchange messages asynchronously; Await repeats Look until they agree.
package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Expectations are facts that the caller knows and that are not in the books.
type Expectations struct {
	Accepted []string // ids of orders that were accepted with a 202
	Dead     []string // ids of messages that are expected among the dead letters
}

// Report is the result of an audit.
type Report struct {
	Orders        int              `json:"orders"`
	NeedAttention int              `json:"need_attention"` // orders that wait for a person and have not ended
	Rules         []Result         `json:"rules"`          // with the numbers of all checks and breaches
	Breaches      []Breach         `json:"breaches"`       // the first breachesMost of them
	ByHand        []ManualAction   `json:"by_hand"`        // likewise
	OperatorLog   []ManualAction   `json:"operator_log"`   // likewise
	Stories       map[string]Story `json:"stories"`        // of the subjects of breaches, up to storiesMost
}

// A mistake that affects a million orders can be understood from some of them.
const (
	breachesMost = 10_000
	storiesMost  = 1000
)

// Result is a rule and how often it was checked.
type Result struct {
	Rule     string `json:"rule"`
	Checked  int    `json:"checked"`
	Breaches int    `json:"breaches"`
}

// Breach is a violation of a rule.
type Breach struct {
	Rule    string `json:"rule"`
	Subject string `json:"subject"` // an order's id, a SKU, or the name of a queue
	What    string `json:"what"`
}

// ManualAction is something that a person did about an order. It is no breach. In ByHand it was done outside the system, so
// that somebody has to account for it; in OperatorLog are notes, and what an operator had sent again.
type ManualAction struct {
	Subject string `json:"subject"` // an order's id
	What    string `json:"what"`
}

// OK reports whether there is no breach.
func (r Report) OK() bool { return len(r.Breaches) == 0 }

// Err is nil when the books agree, and otherwise an error with the whole report.
func (r Report) Err() error {
	if r.OK() {
		return nil
	}
	var text strings.Builder
	r.Print(&text)
	return errors.New("the books do not agree\n" + text.String())
}

// Summary is the report in one line.
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

// rule is a statement that has to be true, in words and in code. see is called for each thing that the rule is checked
// against, with a description of the violation; empty: there is none.
type rule struct {
	says string
	hold func(b *indexed, see func(subject, wrong string))
}

// unless returns the description of a violation, or "" when the condition holds.
func unless(holds bool, format string, args ...any) string {
	if holds {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

// again is how long to wait before the books are read again.
const again = 500 * time.Millisecond

// Await repeats Look until there is no breach, or until a Look that began after timeout still finds one. It returns the
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
