// Package patterns executes docs/patterns.md, command by command, and audits the system: a reader who follows the page must not
// leave the system in a state that needs an explanation.
package patterns

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
)

// page is behind the link to the tree: see stories.Look.
const page = "../testdata/repo/docs/patterns.md"

var (
	commands = regexp.MustCompile("(?s)```sh\n(.*?)```")
	// complaint is an error message of a tool. A search without results prints nothing.
	complaint = regexp.MustCompile(`(?m)^(bash|awk|cat|curl|go|grep|jq|kill|make|mktemp|od|pgrep|psql|sed|sort|tail|tr)(\[\d+\])?: .*$|^--- FAIL.*`)
)

// It takes about ten minutes, most of them sleeps of the page.
func TestFollowingThePageLeavesCleanBooks(t *testing.T) {
	if os.Getenv("TEST_PATTERNS") == "" {
		t.Skip("TEST_PATTERNS=1 follows docs/patterns.md: make test-patterns")
	}
	repo, err := system.FindRepo(".")
	if err != nil {
		t.Fatal(err)
	}
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := stories.Folder(t)
	shell := func(script string) (string, error) {
		command := exec.CommandContext(context.WithoutCancel(t.Context()), "bash", "-u", "-c", script)
		command.Dir = repo
		command.Env = append(outside(), "ORDERFLOW_DIR="+dir, fmt.Sprintf("GATEWAY_PORT=%d", port))
		out, err := command.CombinedOutput()
		return string(out), err
	}
	t.Cleanup(func() {
		if out, err := shell("make down"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})

	first, sections := read(t)
	clean := true
	for _, s := range sections {
		t.Run(s.title, func(t *testing.T) {
			if !clean {
				t.Skip("an earlier section has left breaches behind")
			}
			out, err := shell(first + s.commands)
			if err != nil && !strings.Contains(err.Error(), "exit status 1") { // from a search without results
				t.Error(err)
			}
			t.Log(out)
			if wrong := complaint.FindString(out); wrong != "" {
				t.Error(wrong)
			}
			if report, err := shell("make -s audit WAIT=2m"); err != nil {
				clean = false
				t.Fatalf("it leaves the books like this: %v\n%s", err, report)
			}
		})
	}
}

// outside is the environment without the variables of make: a make that another make calls prints the folder each time.
func outside() []string {
	return slices.DeleteFunc(os.Environ(), func(setting string) bool {
		name, _, _ := strings.Cut(setting, "=")
		return name == "MAKELEVEL" || name == "MAKEFLAGS" || name == "MFLAGS"
	})
}

type section struct{ title, commands string }

// read splits the page into its first part and its sections.
func read(t *testing.T) (first string, sections []section) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(text), "\n## ") {
		var all bytes.Buffer
		for _, block := range commands.FindAllStringSubmatch(part, -1) {
			all.WriteString(block[1])
		}
		title, _, _ := strings.Cut(part, "\n")
		if i == 0 {
			first = all.String()
		} else {
			sections = append(sections, section{title, all.String()})
		}
	}
	if first == "" || len(sections) < 15 {
		t.Fatalf("the page begins with %q and has %d sections", first, len(sections))
	}
	return first, sections
}
