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
	found := make(map[string]int)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			// The plan has some of everything: the world, the broker and the database fail, and commands to inventory are dealt
			// twice.
			run := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run", "WhateverHappens",
				"-mutant", m.name, "-duration", "125s", "-seed", "156")
			out, err := run.CombinedOutput()
			if found[m.name] = breaches(out, m.breach); found[m.name] == 0 || err == nil {
				t.Errorf("%s: nobody has noticed (%v)\n%s", m.what, err, out)
			}
			t.Logf("%s: %d times %s not", m.what, found[m.name], m.breach)
		})
	}
	if *report == "" || t.Failed() || len(found) < len(mutants) { // -run left some out
		return
	}
	var text bytes.Buffer
	fmt.Fprintln(&text, "| mistake | rule that does not hold | breaches |\n| --- | --- | ---: |")
	for _, m := range mutants {
		fmt.Fprintf(&text, "| %s | %s | %d |\n", m.what, m.breach, found[m.name])
	}
	if err := writeInto(*report, "make mutants", text.String()); err != nil {
		t.Error(err)
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
