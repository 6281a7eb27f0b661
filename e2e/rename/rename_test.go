// Package rename holds `make rename` against the whole checkout: under another path everything must still build, be
// formatted, and have all that it needs.
package rename

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/orderflow/local/system"
)

// other comes last where imports are sorted. It is in two parts, so that the way back does not find it here.
const other = "zoo.example" + "/acme/shop"

func TestTheCheckoutBuildsUnderAnotherPath(t *testing.T) {
	t.Parallel()
	look(t)
	repo, err := system.FindRepo(".")
	if err != nil {
		t.Fatal(err)
	}
	c := checkout{t: t, dir: t.TempDir()}
	if err := exec.CommandContext(t.Context(), "git", "-C", repo, "-c", "safe.directory=*", "rev-parse").Run(); err != nil {
		t.Skipf("git lists the files to copy, and knows nothing here: %v", err)
	}
	c.copy(repo)
	c.run("git", "init", "--quiet")
	c.commit()
	was := c.run("go", "list", "-m")

	rename := filepath.Join(t.TempDir(), "orderflow")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", rename, "./local/cmd/orderflow")
	build.Dir = repo
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c.run(rename, "rename", other)
	c.commit()

	modules := strings.Fields(c.run("go", "list", "-m"))
	if len(modules) != len(strings.Fields(was)) {
		t.Errorf("there are %d modules, and were %d", len(modules), len(strings.Fields(was)))
	}
	for _, module := range modules {
		if !strings.HasPrefix(module, other+"/") {
			t.Errorf("%s has kept its path", module)
		}
	}
	if files := c.run("gofmt", "-l", "."); files != "" {
		t.Errorf("not formatted any more:\n%s", files)
	}
	c.run("go", "vet", "work")
	for dir := range strings.FieldsSeq(c.run("go", "list", "-m", "-f", "{{.Dir}}")) {
		alone := checkout{t: t, dir: dir, env: []string{"GOWORK=off"}}
		alone.run("go", "list", "-deps", "-test", "./...")
	}

	first, _, _ := strings.Cut(was, "/bff-web\n")
	c.run(rename, "rename", first)
	if changes := c.run("git", "diff", "--stat", "HEAD~1"); changes != "" {
		t.Errorf("there and back again is not the same:\n%s", changes)
	}
}

// look shows go test this module and the sources of all programs: see package upgrade, which has the links to them.
func look(t *testing.T) {
	t.Helper()
	folders, err := filepath.Glob("../upgrade/testdata/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no links: %v", err)
	}
	for _, folder := range append(folders, "..") {
		err := filepath.WalkDir(folder+string(filepath.Separator), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkout is a copy of this one that a test may change.
type checkout struct {
	t   *testing.T
	dir string
	env []string
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
