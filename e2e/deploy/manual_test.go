package deploy

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of the settings instead of comparing them")

const (
	settingsPage = "docs/settings.md"
	tableEnd     = "<!-- end of the table -->\n"
)

// A table of a page begins with a comment that names a struct. The rows between it and the end are of the source.
var (
	tableBegin = regexp.MustCompile(`(?m)^<!-- the settings of (\S+)\.(\w+)( after a prefix)?, written by a test from the source: do not edit -->\n`)
	heading    = regexp.MustCompile(`(?m)^##+ (.*)$`)
)

// docs/settings.md has the settings that programs have in common, and those of the programs around the services. A service has its own
// in its README.
func TestThePagesOfSettingsShowThemAsTheyAre(t *testing.T) {
	t.Parallel()
	common := string(read(t, settingsPage))
	known := tables(common)
	pages := map[string]string{settingsPage: common}
	for name, folder := range programs {
		within, err := filepath.Rel(repo, folder)
		if err != nil {
			t.Fatal(err)
		}
		own := structure{within, "config"}
		if strings.HasPrefix(within, "services/") {
			readme := within + "/README.md"
			pages[readme] = string(read(t, readme))
			if tables(pages[readme])[own] == "" {
				pages[readme] += fmt.Sprintf("\n## Settings\n\n<!-- the settings of %s, written by a test from the source: do not edit -->\n", own) + tableEnd
			}
		} else if known[own] == "" {
			t.Errorf("%s has no table for %s", settingsPage, name)
		}
	}
	for name, page := range pages {
		want := tabulated(t, name, page, known)
		if *update {
			if err := os.WriteFile(filepath.Join(repo, name), []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if string(read(t, name)) != want {
			t.Errorf("%s differs from the settings of the programs: go test ./e2e/deploy -run PagesOfSettings -update", name)
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

// tabulated is a page with all its tables written anew. A struct that is known has a table of its own in docs/settings.md.
func tabulated(t testing.TB, name, page string, known map[structure]string) string {
	t.Helper()
	there, err := filepath.Rel(filepath.Dir(name), settingsPage)
	if err != nil {
		t.Fatal(err)
	}
	if name == settingsPage {
		there = ""
	}
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
				s.meaning += fmt.Sprintf(": see [%s](%s#%s)", above, there, strings.ReplaceAll(strings.ToLower(above), " ", "-"))
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
