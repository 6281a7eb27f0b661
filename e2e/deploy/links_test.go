package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	headline = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	fenced   = regexp.MustCompile("(?ms)^```.*?^```")
	inCode   = regexp.MustCompile("`[^`\n]*`")
	dropped  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`) // of a heading, in the name that GitHub gives it
)

// A link inside of the project leads to a file, and to a heading of it.
func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	pages, links := listed(t, "*.md"), 0
	for _, page := range pages {
		if strings.Contains(page, "/testdata/") { // it is another page
			continue
		}
		text := inCode.ReplaceAllString(fenced.ReplaceAllString(string(read(t, page)), ""), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			links++
			at := page
			if to != "" {
				at = filepath.Join(filepath.Dir(page), to)
			}
			if _, err := os.Stat(filepath.Join(repo, at)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			} else if anchor != "" && strings.HasSuffix(at, ".md") && !anchors(t, at)[anchor] {
				t.Errorf("%s links to %s, and there is no such heading", page, m[1])
			}
		}
	}
	if len(pages) < 60 || links < 300 {
		t.Errorf("only %d links on %d pages", links, len(pages))
	}
}

// listed are the files that git lists, and those that it will: all of them, or those of some patterns. Links to folders are left out.
func listed(t *testing.T, patterns ...string) (names []string) {
	t.Helper()
	args := append([]string{"-C", repo, "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "--"}, patterns...)
	list, err := exec.CommandContext(t.Context(), "git", args...).Output()
	if err != nil {
		t.Skipf("this is no checkout: %v", err)
	}
	for name := range strings.FieldsSeq(string(list)) {
		if info, err := os.Stat(filepath.Join(repo, name)); err == nil && !info.IsDir() { // else it is removed, and not committed yet
			names = append(names, name)
		}
	}
	return names
}

// anchors are the names of a page's headings.
func anchors(t *testing.T, page string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, m := range headline.FindAllStringSubmatch(fenced.ReplaceAllString(string(read(t, page)), ""), -1) {
		text := link.ReplaceAllString(strings.ReplaceAll(m[1], "[", ""), "")
		names[strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(text), ""), " ", "-")] = true
	}
	return names
}
