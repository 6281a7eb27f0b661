package deploy

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/settings.md instead of comparing them")

const (
	settingsPage = repo + "/docs/settings.md"
	tableEnd     = "<!-- end of the table -->\n"
)

// A table of the page begins with a comment that names a struct. The rows between it and the end are of the source.
var (
	tableBegin = regexp.MustCompile(`(?m)^<!-- the settings of (\S+)\.(\w+)( after a prefix)?, written by a test from the source: do not edit -->\n`)
	heading    = regexp.MustCompile(`(?m)^##+ (.*)$`)
)

func TestThePageOfSettingsShowsThemAsTheyAre(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(settingsPage)
	if err != nil {
		t.Fatal(err)
	}
	want := tabulated(t, sections(string(page)))
	if *update {
		if err := os.WriteFile(settingsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(page) != want {
		t.Error("docs/settings.md differs from the settings of the programs: go test ./e2e/deploy -run PageOfSettings -update")
	}
	for name, folder := range programs {
		if within, err := filepath.Rel(repo, folder); err != nil || tables(want)[structure{within, "config"}] == "" {
			t.Errorf("docs/settings.md has no table for %s, %v", name, err)
		}
	}
}

// tables are the structs for which a page has a table, each with the heading above it.
func tables(page string) map[structure]string {
	found := map[structure]string{}
	for _, begin := range tableBegin.FindAllStringSubmatchIndex(page, -1) {
		above := heading.FindAllStringSubmatch(page[:begin[0]], -1)
		found[structure{page[begin[2]:begin[3]], page[begin[4]:begin[5]]}] = above[len(above)-1][1]
	}
	return found
}

// sections adds an empty section for each service that has none, after the sections of the others.
func sections(page string) string {
	known := tables(page)
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		s := structure{"services/" + name, "config"}
		if programs[name] != filepath.Join(repo, s.folder) || known[s] != "" {
			continue
		}
		before, after, _ := strings.Cut(page, "\n## gateway\n")
		page = before + fmt.Sprintf("\n### %s\n\n<!-- the settings of %s, written by a test from the source: do not edit -->\n", name, s) + tableEnd + "\n## gateway\n" + after
	}
	return page
}

// tabulated is a page with all its tables written anew.
func tabulated(t testing.TB, page string) string {
	t.Helper()
	known := tables(page)
	var b strings.Builder
	for {
		begin := tableBegin.FindStringSubmatchIndex(page)
		if begin == nil {
			return b.String() + page
		}
		b.WriteString(page[:begin[1]])
		s := structure{page[begin[2]:begin[3]], page[begin[4]:begin[5]]}
		_, rest, ok := strings.Cut(page[begin[1]:], tableEnd)
		if !ok {
			t.Fatalf("the table of %s has no end", s)
		}
		b.WriteString("\n| setting | default | meaning |\n| --- | --- | --- |\n")
		prefix := ""
		if begin[6] >= 0 {
			prefix = "…"
		}
		for _, s := range s.read(t, prefix, func(s structure) bool { return known[s] != "" }) {
			if above := known[s.of]; above != "" {
				s.meaning += fmt.Sprintf(": see [%s](#%s)", above, strings.ReplaceAll(strings.ToLower(above), " ", "-"))
			}
			b.WriteString(row(t, s))
		}
		b.WriteString("\n" + tableEnd)
		page = rest
	}
}

var variable = regexp.MustCompile(`\b[A-Z]+(_[A-Z]+)+\b`)

func row(t testing.TB, s setting) string {
	t.Helper()
	if s.meaning == "" {
		t.Errorf("the field of %s has no comment", s.name)
	}
	standard := "–"
	switch {
	case s.required:
		standard = "required"
	case s.standard != "":
		standard = "`" + s.standard + "`"
	}
	meaning := variable.ReplaceAllString(strings.ReplaceAll(s.meaning, "|", `\|`), "`$0`")
	return fmt.Sprintf("| `%s` | %s | %s |\n", s.name, standard, meaning)
}
