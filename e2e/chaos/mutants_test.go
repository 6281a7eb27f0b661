package chaos

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/orderflow/local/audit"
	"example.com/orderflow/local/system"
)

var everyMutant = flag.Bool("mutants", false, "run with each mutant in turn")

// A mutant replaces text in the present sources: a change of that text needs a change of the mutant, too.
func TestMutantsCanBeMade(t *testing.T) {
	t.Parallel()
	repo, err := system.FindRepo(".")
	if err != nil {
		t.Fatal(err)
	}
	rules := audit.Check(audit.Books{}, audit.Expectations{}).Rules
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			mutant, err := mutate(m.name, repo, dir)
			if err != nil {
				t.Fatal(err)
			}
			changes, err := flagOf(dir, mutant)
			if err != nil {
				t.Fatal(err)
			}
			build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", changes, "-o", os.DevNull, ".")
			build.Dir = filepath.Join(repo, path.Dir(m.file))
			if out, err := build.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if !slices.ContainsFunc(rules, func(r audit.Result) bool { return r.Rule == m.breach }) {
				t.Errorf("the auditor has no rule %q", m.breach)
			}
		})
	}
}

// Each run is a process of this test binary, as with `make chaos MUTANT=name`.
func TestMutantsAreNoticed(t *testing.T) {
	if !*everyMutant {
		t.Skip("takes three quarters of an hour: make mutants")
	}
	if *report != "" {
		if _, _, err := around(*report, "make mutants"); err != nil {
			t.Fatal(err)
		}
	}
	found := make(map[string]int)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			// The plan has some of everything: the outside world, the broker, PostgreSQL and the network to it fail, and commands to
			// inventory are dealt twice.
			run := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run", "WhateverHappens",
				"-mutant", m.name, "-duration", "140s", "-seed", "9210")
			out, err := run.CombinedOutput()
			if found[m.name] = breaches(out, m.breach); found[m.name] == 0 || err == nil {
				t.Errorf("%s: nobody has noticed (%v)\n%s", m.what, err, out)
			}
			t.Logf("%s: %d times %s not", m.what, found[m.name], m.breach)
		})
	}
	if *report == "" {
		return
	}
	page, err := os.ReadFile(*report)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeInto(*report, "make mutants", noticed(string(page), found)); err != nil {
		t.Error(err)
	}
}

// noticed is the table of the mutants. Those that did not run this time, because of -run, keep their rows of the page.
func noticed(page string, found map[string]int) string {
	var text bytes.Buffer
	fmt.Fprintln(&text, "| mistake | rule that does not hold | breaches |\n| --- | --- | ---: |")
	for _, m := range mutants {
		row := fmt.Sprintf("| %s | %s | ", m.what, m.breach)
		n, ran := found[m.name]
		switch before := regexp.MustCompile(regexp.QuoteMeta(row) + `\d+ \|`).FindString(page); {
		case ran && n > 0:
			fmt.Fprintf(&text, "%s%d |\n", row, n)
		case !ran && before != "":
			fmt.Fprintln(&text, before)
		}
	}
	return text.String()
}

func TestMutantsThatDoNotRunKeepTheirRows(t *testing.T) {
	t.Parallel()
	first, second, third := mutants[0], mutants[1], mutants[2]
	page := noticed("", map[string]int{first.name: 7, second.name: 8})
	page = noticed(page, map[string]int{second.name: 0, third.name: 9})
	for m, want := range map[*mutant]string{&first: "7", &second: "", &third: "9"} {
		row := fmt.Sprintf("| %s | %s | ", m.what, m.breach)
		if got := strings.Contains(page, row); got != (want != "") || want != "" && !strings.Contains(page, row+want+" |") {
			t.Errorf("%s: want %q in\n%s", m.name, want, page)
		}
	}
}

// breaches reads how often a rule was broken from a printed audit.
func breaches(printed []byte, rule string) int {
	line := regexp.MustCompile(`(?m)^ *\d+ +(\d+) +` + regexp.QuoteMeta(rule) + `$`).FindSubmatch(printed)
	if line == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(line[1])) // digits only
	return n
}
