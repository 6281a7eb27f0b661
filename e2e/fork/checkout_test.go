package fork

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/orderflow/local/system"
)

// checkout is a copy of this one that a test may change.
type checkout struct {
	t   *testing.T
	dir string
	env []string
}

// copied returns this checkout and a copy of it.
func copied(t *testing.T) (repo string, c checkout) {
	t.Helper()
	repo, err := system.FindRepo(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.CommandContext(t.Context(), "git", "-C", repo, "-c", "safe.directory=*", "rev-parse").Run(); err != nil {
		t.Skipf("git lists the files to copy, and knows nothing here: %v", err)
	}
	c = checkout{t: t, dir: t.TempDir()}
	c.copy(filepath.Join(repo, "e2e", "testdata", "repo")) // a link to the tree: see stories.Look
	return repo, c
}

// copy takes the files that git lists, and those that it will.
func (c checkout) copy(repo string) {
	c.t.Helper()
	list := exec.CommandContext(c.t.Context(), "git", "-C", repo, "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	names, err := list.Output()
	if err != nil {
		c.t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		from, to := filepath.Join(repo, name), filepath.Join(c.dir, name)
		info, err := os.Lstat(from)
		if err != nil {
			continue // removed, and not committed yet
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
			c.t.Fatal(err)
		}
		if info.Mode()&os.ModeSymlink != 0 {
			target, err := os.Readlink(from)
			if err == nil {
				err = os.Symlink(target, to)
			}
			if err != nil {
				c.t.Fatal(err)
			}
			continue
		}
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, text, info.Mode().Perm())
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c checkout) commit() {
	c.t.Helper()
	c.run("git", "add", "--all")
	c.run("git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", "all")
}

// run returns what a command says, with its errors.
func (c checkout) run(name string, args ...string) string {
	c.t.Helper()
	command := exec.CommandContext(c.t.Context(), name, args...)
	command.Dir, command.Env = c.dir, append(os.Environ(), c.env...)
	var errors bytes.Buffer
	command.Stderr = &errors
	out, err := command.Output()
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, out, errors.Bytes())
	}
	return string(out)
}
