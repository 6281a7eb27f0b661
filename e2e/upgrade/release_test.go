package upgrade

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/orderflow/local/system"
)

// tree has links to all sources of the programs. go test reuses a cached result while the files below the module that a test
// opened are unchanged; it ignores files outside, and files that other processes read.
const tree = "testdata"

// look opens the sources of this release, so that go test sees their changes.
func look(t *testing.T) {
	t.Helper()
	links, err := os.ReadDir(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		// The separator makes it walk the folder and not the link.
		err := filepath.WalkDir(filepath.Join(tree, link.Name())+string(filepath.Separator), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// history is the checkout's git history.
type history struct {
	repo     string
	previous string // the release before this one
}

// openHistory skips the test if the history does not reach back to the previous release. In a complete checkout, a missing
// release is an error.
func openHistory(t *testing.T) history {
	t.Helper()
	named, err := os.ReadFile("previous")
	if err != nil {
		t.Fatal(err)
	}
	var h history
	for line := range strings.Lines(string(named)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			h.previous = line
		}
	}
	if h.repo, err = system.FindRepo("."); err != nil {
		t.Fatal(err)
	}
	shallow, err := h.git(t, "rev-parse", "--is-shallow-repository")
	if err != nil {
		t.Skipf("the previous release is built from git, which knows nothing here: %v", err)
	}
	if _, err := h.git(t, "rev-parse", "--verify", "--quiet", h.previous+"^{commit}"); err != nil {
		if strings.TrimSpace(string(shallow)) == "true" {
			t.Skipf("this is a shallow clone without the previous release, %s: git fetch --unshallow --tags, and go test -count 1, as "+
				"an answer that go test has kept does not change with git", h.previous)
		}
		t.Fatalf("the file previous names %s, which git does not know", h.previous)
	}
	return h
}

// git runs git in the checkout even if another user owns it, as with a container's mount.
func (h history) git(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", append([]string{"-C", h.repo, "-c", "safe.directory=*"}, args...)...)
	out, err := command.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(failed.Stderr))
	}
	return out, err
}

// sources makes a folder with the files of the previous release.
func (h history) sources(t *testing.T) string {
	t.Helper()
	archive, err := h.git(t, "archive", "--format=tar", h.previous)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", dir)
	unpack.Stdin = bytes.NewReader(archive)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// before reports whether a release is older than another, or the same.
func (h history) before(t *testing.T, release, other string) bool {
	t.Helper()
	_, err := h.git(t, "merge-base", "--is-ancestor", release, other)
	return err == nil
}
