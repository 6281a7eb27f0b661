package upgrade

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.com/orderflow/local/system"
)

// tree is a link to the sources of this release: see stories.Look.
const tree = "../testdata/repo"

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
