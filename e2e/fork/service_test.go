package fork

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const ownFolder = "services/loyalty/"

// The page about adding a service is followed to the letter: it ends with the tests that it names.
func TestAServiceIsAddedAsThePageSays(t *testing.T) {
	t.Parallel()
	repo, c := copied(t)
	page, err := os.ReadFile(filepath.Join(repo, "docs", "add-a-service.md"))
	if err != nil {
		t.Fatal(err)
	}
	c.run("git", "init", "--quiet")
	c.commit()
	done := map[string]int{}
	for _, b := range blocksOf(string(page)) {
		switch {
		case b.language == "sh":
			c.shell(b.text)
		case b.language == "diff":
			c.change(b.path, b.text)
		case b.path != "":
			c.write(b.path, b.text)
		default:
			continue // only shown
		}
		done[b.language]++
	}
	if done["sh"] < 4 || done["diff"] < 10 || done["go"] < 7 {
		t.Errorf("the page has only these blocks: %v", done)
	}
	changed, added := 0, 0
	for line := range strings.Lines(c.run("git", "status", "--short", "--untracked-files=all")) {
		switch state, name := line[:2], strings.TrimSpace(line[3:]); {
		case strings.HasPrefix(name, ownFolder), strings.HasPrefix(name, "bin/"):
		case state == "??":
			added++
		default:
			changed++
		}
	}
	if says := fmt.Sprintf("Outside of its own folder it changes %d files and adds %d.", changed, added); !strings.Contains(string(page), says) {
		t.Errorf("the page does not say: %s", says)
	}
}

// block is a fenced block of a page, and the file that the line before it names.
type block struct {
	path, language, text string
}

func blocksOf(page string) (all []block) {
	var b block
	var fence, before string
	for line := range strings.Lines(page) {
		bare := strings.TrimSpace(line)
		switch {
		case fence != "" && bare == fence:
			all = append(all, b)
			fence, before = "", ""
		case fence != "":
			b.text += line
		case strings.HasPrefix(bare, "```"):
			b = block{language: strings.TrimLeft(bare, "`")}
			fence = strings.TrimSuffix(bare, b.language)
			if named := strings.Trim(before, "`"); len(before) == len(named)+2 && !strings.Contains(named, " ") {
				b.path = named
			}
		case bare != "":
			before = bare
		}
	}
	return all
}

func (c checkout) shell(script string) {
	c.t.Helper()
	command := exec.CommandContext(c.t.Context(), "sh", "-e", "-x", "-c", script)
	command.Dir = c.dir
	if out, err := command.CombinedOutput(); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
}

func (c checkout) write(path, text string) {
	c.t.Helper()
	to := filepath.Join(c.dir, path)
	err := os.MkdirAll(filepath.Dir(to), 0o750)
	if err == nil {
		err = os.WriteFile(to, []byte(text), 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// change replaces the lines of a diff that are there with those that should be. They must be there once.
func (c checkout) change(path, diff string) {
	c.t.Helper()
	old, changed := "\n", "\n"
	for line := range strings.Lines(diff) {
		switch line[0] {
		case '+':
			changed += line[1:]
		case '-':
			old += line[1:]
		case ' ':
			old, changed = old+line[1:], changed+line[1:]
		default: // an editor has removed the blank
			old, changed = old+line, changed+line
		}
	}
	text, err := os.ReadFile(filepath.Join(c.dir, path))
	if err != nil {
		c.t.Fatal(err)
	}
	if n := strings.Count("\n"+string(text), old); n != 1 {
		c.t.Fatalf("%s has %d times what is to be changed:%s", path, n, old)
	}
	c.write(path, strings.Replace("\n"+string(text), old, changed, 1)[1:])
}
