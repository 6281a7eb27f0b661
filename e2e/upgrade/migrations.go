// Package upgrade compares this release with the previous one: both run side by side on the same data and the same queues,
// with orders under way, forward and back; and it refuses migrations that the previous release could not work with.
package upgrade

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Verdict is the result of reading a migration.
type Verdict struct {
	Refused []string // statements with which the previous release cannot work, or may not be able to
	Since   []string // first releases that no longer need what a statement removes, as the file claims
	Shown   []Shown  // tests that show that the previous release works with the file, as the file claims
}

// Shown is a test, and the folder of its package.
type Shown struct{ Package, Test string }

// Judge reads a migration (docs/adr/0028). It only knows statements that the previous release cannot notice, and refuses all
// others: a harmless statement that is unknown is added here once, but a harmful one that was overlooked causes an outage.
//
// A statement that removes something is accepted after a line that names the first release without a use of it:
//
//	-- contract: since v1.4.0 nothing reads or writes it
//	ALTER TABLE payments DROP COLUMN code;
//
// A statement that cannot be judged by reading is accepted if the file names tests that run the statements of the previous
// release on the new schema:
//
//	-- shown: pkg/inbox TestTheReleaseBeforeDeletesNothingThatIsRemembered
//
// unique are the unique indexes of all migrations. Dropping one of them is refused, because the previous release relies on it.
// Any other index may be dropped, which only makes that release slower.
func Judge(file string, unique ...string) Verdict {
	statements, err := split(file)
	if err != nil {
		return Verdict{Refused: []string{err.Error()}}
	}
	j := judge{statements: statements, alone: annotated(file, "NO TRANSACTION"), created: map[string]bool{}, unique: unique}
	if !annotated(file, "Up") || annotated(file, "Down") {
		j.Refused = append(j.Refused, "it needs a line -- +goose Up, and none for the way down: there is none")
	}
	for _, m := range shown.FindAllStringSubmatch(file, -1) {
		j.Shown = append(j.Shown, Shown{m[1], m[2]})
	}
	for i, s := range statements {
		wrong := j.wrong(i)
		if len(j.Shown) > 0 && s.contract == "" {
			wrong = ""
		}
		switch {
		case s.contract == "" && wrong != "":
			j.Refused = append(j.Refused, fmt.Sprintf("%s: %s", s.text, wrong))
		case s.contract != "" && wrong == "":
			j.Refused = append(j.Refused, fmt.Sprintf("%s: takes nothing away and needs no line about a contract", s.text))
		case s.contract != "":
			since := contract.FindStringSubmatch(s.contract)
			if since == nil {
				j.Refused = append(j.Refused, fmt.Sprintf("%s: it has to say: contract: since <release> <why nobody needs it>", s.contract))
				continue
			}
			j.Since = append(j.Since, since[1])
		}
	}
	return j.Verdict
}

type judge struct {
	Verdict
	statements []statement
	alone      bool            // each statement is its own transaction
	created    map[string]bool // tables that this file makes, which the previous release does not use
	unique     []string        // indexes
}

const name = `([a-z_][a-z0-9_]*)`

var (
	contract = regexp.MustCompile(`^contract: since (\S+) \S+ \S+`)
	shown    = regexp.MustCompile(`(?m)^-- shown: (\S+) (Test\w+)$`)

	createTable = regexp.MustCompile(`^create table ` + name + ` \(.*\)$`)
	createIndex = regexp.MustCompile(`^create (unique )?index (concurrently )?` + name + ` on ` + name + ` `)
	dropIndex   = regexp.MustCompile(`^drop index concurrently if exists ` + name + `$`)
	alterTable  = regexp.MustCompile(`^alter table ` + name + ` (.*)$`)
	comment     = regexp.MustCompile(`^comment on `)

	storage   = regexp.MustCompile(`^set \([^()]*\)$`)
	validate  = regexp.MustCompile(`^validate constraint ` + name + `$`)
	unrelate  = regexp.MustCompile(`^drop constraint (if exists )?[a-z0-9_]+_fkey$`) // the name of a foreign key; others are refused
	addColumn = regexp.MustCompile(`^add column ` + name + ` ([a-z]+(\(\d+\))?( with time zone)?(\[\])?)( not null)?( default (''(::[a-z]+)?|-?\d+|true|false|now\(\)))?( not null)?$`)
)

// wrong describes what is wrong with a statement; empty: nothing.
func (j *judge) wrong(i int) string {
	text := j.statements[i].text
	if m := createTable.FindStringSubmatch(text); m != nil {
		j.created[m[1]] = true
		return ""
	}
	if m := createIndex.FindStringSubmatch(text); m != nil {
		unique, concurrently, index, table := m[1] != "", m[2] != "", m[3], m[4]
		switch {
		case j.created[table]:
			return ""
		case unique:
			return "the release before may write what it forbids"
		case !concurrently:
			return "nobody can write while it is made: CONCURRENTLY, in a file of its own with -- +goose NO TRANSACTION"
		case !j.alone || i == 0 || j.statements[i-1].text != "drop index concurrently if exists "+index:
			return "an attempt that was interrupted leaves an index that does not work: DROP INDEX CONCURRENTLY IF EXISTS before it, and -- +goose NO TRANSACTION"
		}
		return ""
	}
	if m := dropIndex.FindStringSubmatch(text); m != nil {
		return j.wrongDrop(i, m[1])
	}
	if m := alterTable.FindStringSubmatch(text); m != nil {
		if j.created[m[1]] {
			return ""
		}
		for _, action := range commas(m[2]) {
			if wrong := wrongAction(action); wrong != "" {
				return wrong
			}
		}
		return ""
	}
	if comment.MatchString(text) {
		return ""
	}
	return "the release before is not known to live with it; rows are filled from code, in small steps"
}

// wrongDrop is wrong for a statement that drops an index, to make it again or for good.
func (j *judge) wrongDrop(i int, index string) string {
	if i+1 < len(j.statements) {
		if next := createIndex.FindStringSubmatch(j.statements[i+1].text); next != nil && next[3] == index {
			return ""
		}
	}
	switch {
	case !j.alone:
		return "it cannot be done in a transaction: -- +goose NO TRANSACTION"
	case slices.Contains(j.unique, index):
		return "the release before relies on what it forbids"
	}
	return ""
}

// UniqueIndexes are the names of the unique indexes that a migration makes.
func UniqueIndexes(file string) (names []string) {
	statements, _ := split(file) // Judge refuses a file that it cannot read
	for _, s := range statements {
		if m := createIndex.FindStringSubmatch(s.text); m != nil && m[1] != "" {
			names = append(names, m[3])
		}
	}
	return names
}

func wrongAction(action string) string {
	if storage.MatchString(action) || validate.MatchString(action) || unrelate.MatchString(action) {
		return ""
	}
	m := addColumn.FindStringSubmatch(action)
	switch {
	case m == nil:
		return "the release before is not known to live with it"
	case strings.Contains(m[2], "serial"):
		return "every row would be written anew while nobody can read"
	case m[6]+m[10] != "" && m[7] == "":
		return "the release before does not fill it: it needs a default"
	}
	return ""
}

// annotated reports whether a file has an instruction for goose.
func annotated(file, instruction string) bool {
	return slices.ContainsFunc(strings.Split(file, "\n"), func(line string) bool {
		return strings.EqualFold(strings.TrimSpace(line), "-- +goose "+instruction)
	})
}
