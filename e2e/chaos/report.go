package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"example.com/orderflow/local/audit"
)

// Outcome is the result of a run.
type Outcome struct {
	Seed      uint64
	Began     time.Time
	Lasted    time.Duration // until the system was at rest
	Done      []Done
	Shoppers  int
	Accepted  map[string]time.Time // when each order was accepted
	SentAgain int                  // requests
	Orders    []audit.Order
	Audit     audit.Report
}

// Markdown formats the outcome for people.
func (o Outcome) Markdown() string {
	var text bytes.Buffer
	effective := 0
	for _, d := range o.Done {
		if !d.Idle {
			effective++
		}
	}
	fmt.Fprintf(&text, "Seed %d, on %s, %s until all was at rest, on %d cores (%s/%s): %d faults, %d orders accepted by %d shoppers, "+
		"who had to send a request again %d times.\n\n",
		o.Seed, o.Began.UTC().Format(time.DateOnly), o.Lasted.Round(time.Second), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH,
		effective, len(o.Accepted), o.Shoppers, o.SentAgain)
	writeTable(&text, tabulate(o.Done, lives(o.Orders, o.Accepted), o.Audit.Breaches))
	fmt.Fprintf(&text, "\nThe books afterwards: %s.\n", o.Audit.Summary())
	return text.String()
}

// writeInto replaces in a page the text that the same command wrote before.
func writeInto(path, command, text string) error {
	before, after, err := around(path, command)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(before+"\n"+text+"\n"+after), 0o600)
}

// around returns what is before and after the place of a command in a page. It is an error if the page has no such place: a run
// that takes half an hour should find that out before it begins.
func around(path, command string) (before, after string, err error) {
	page, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	opening, closing := place(command)
	before, rest, ok := strings.Cut(string(page), opening)
	_, after, ends := strings.Cut(rest, closing)
	if !ok || !ends {
		return "", "", errors.New(path + " has no place for what " + command + " reports")
	}
	return before + opening, closing + after, nil
}

// place is the first and the last line of a command's text in a page.
func place(command string) (opening, closing string) {
	return "<!-- written by " + command + ": do not edit -->\n", "<!-- end of what " + command + " has written -->\n"
}
