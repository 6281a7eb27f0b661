package audit

import (
	"cmp"
	"slices"
)

var (
	// partRules are checked for each part of the books by itself: everything about an id is in the same part.
	partRules = slices.Concat(orderRules, moneyRules, stockRules, parcelRules, messageRules)
	// closingRules are checked for the sums over all parts, after the last part.
	closingRules = slices.Concat(productRules, queueRules)
)

// checker applies the rules to the books, one part after another.
type checker struct {
	saga     Saga
	expected Expectations
	sums     *sums
	report   Report
	results  map[string]*Result // by rule
}

func newChecker(saga Saga, expected Expectations) *checker {
	c := &checker{saga: saga, expected: expected, sums: newSums(), results: map[string]*Result{}}
	c.report = Report{Breaches: []Breach{}, ByHand: []ManualAction{}, OperatorLog: []ManualAction{}, Stories: map[string]Story{}}
	for _, rule := range slices.Concat(partRules, closingRules) {
		if c.results[rule.says] == nil {
			c.report.Rules = append(c.report.Rules, Result{Rule: rule.says})
			c.results[rule.says] = &Result{}
		}
	}
	return c
}

// part checks a part of the books, and the accepted ids that belong to it.
func (c *checker) part(books Books, accepted []string) {
	books.Saga = c.saga
	c.sums.add(books)
	b := index(books, Expectations{Accepted: accepted, Dead: c.expected.Dead}, c.sums)
	c.report.Orders += len(b.Orders)
	for _, o := range b.Orders {
		if o.AttentionSince != nil && !b.Saga.final(o.Status) {
			c.report.NeedAttention++
		}
	}
	keep(&c.report.ByHand, b.byHand())
	keep(&c.report.OperatorLog, b.operatorLog())
	c.hold(partRules, b)
}

// keep adds actions to a list of the report, up to breachesMost.
func keep(list *[]ManualAction, actions []ManualAction) {
	*list = append(*list, actions[:min(len(actions), breachesMost-len(*list))]...)
}

// close compares the sums over all parts with the catalogue and the queues.
func (c *checker) close(books Books) Report {
	b := index(books, c.expected, c.sums)
	c.hold(closingRules, b)
	for subject, story := range c.report.Stories {
		if p := b.product[subject]; p != nil {
			c.report.Stories[subject] = slices.Concat(b.ofProduct(*p), story)
		}
	}
	for i, r := range c.report.Rules {
		found := c.results[r.Rule]
		c.report.Rules[i].Checked, c.report.Rules[i].Breaches = found.Checked, found.Breaches
	}
	slices.SortStableFunc(c.report.Breaches, func(x, y Breach) int { return cmp.Compare(x.Subject, y.Subject) })
	return c.report
}

func (c *checker) hold(rules []rule, b *indexed) {
	for _, rule := range rules {
		result := c.results[rule.says]
		rule.hold(b, func(subject, wrong string) {
			result.Checked++
			if wrong == "" {
				return
			}
			result.Breaches++
			if len(c.report.Breaches) == breachesMost {
				return
			}
			c.report.Breaches = append(c.report.Breaches, Breach{rule.says, subject, wrong})
			if c.report.Stories[subject] == nil && len(c.report.Stories) < storiesMost {
				c.report.Stories[subject] = b.story(subject)
			}
		})
	}
}

// Check applies the rules to books that are in memory.
func Check(books Books, expected Expectations) Report {
	c := newChecker(books.Saga, expected)
	c.part(books, expected.Accepted)
	return c.close(books)
}
