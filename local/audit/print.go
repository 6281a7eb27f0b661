package audit

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// printedMost is how many stories are printed.
const printedMost = 20

// actionsMost is how many entries of a list of actions of people are printed.
const actionsMost = 100

// Print writes the report for people: each rule and how often it was checked, then each breach with its story.
func (r Report) Print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "checked\tbreaches\t")
	for _, result := range r.Rules {
		fmt.Fprintf(table, "%d\t%d\t  %s\n", result.Checked, result.Breaches, result.Rule)
	}
	_ = table.Flush() // as with fmt.Fprint: nothing can be done when the output is closed

	told := 0
	for i, breach := range r.Breaches {
		if i == 0 || breach.Subject != r.Breaches[i-1].Subject {
			if told++; told > printedMost {
				continue
			}
			fmt.Fprintf(out, "\n%s\n", breach.Subject)
		}
		if told > printedMost {
			continue
		}
		fmt.Fprintf(out, "  BREACH     %s\n             (%s)\n", breach.What, breach.Rule)
		if i+1 == len(r.Breaches) || r.Breaches[i+1].Subject != breach.Subject {
			for _, note := range r.Stories[breach.Subject] {
				fmt.Fprintf(out, "  %-9s  %s\n", note.In, note.Says)
			}
		}
	}
	if told > printedMost {
		fmt.Fprintf(out, "\nand %s more with breaches: -json has up to %d\n", count(told-printedMost, "thing", "things"), storiesMost)
	}
	printActions(out, "by hand, which is no breach, but somebody should be able to say why", r.ByHand)
	printActions(out, "from the operators' log", r.OperatorLog)
	if r.NeedAttention > 0 {
		fmt.Fprintf(out, "\n%s a person: see \"Orders that need attention\" in docs/runbook.md\n", count(r.NeedAttention, "order needs", "orders need"))
	}
	fmt.Fprintf(out, "\n%s\n", r.Summary())
}

func printActions(out io.Writer, title string, actions []ManualAction) {
	if len(actions) > 0 {
		fmt.Fprintf(out, "\n%s:\n", title)
	}
	for i, action := range actions {
		if i == actionsMost {
			fmt.Fprintf(out, "and %s more: -json has up to %d\n", count(len(actions)-i, "action", "actions"), breachesMost)
			break
		}
		fmt.Fprintf(out, "%s  %s\n", action.Subject, action.What)
	}
}
