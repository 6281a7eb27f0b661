// Package fork does in a copy of the checkout what somebody does with a fork: gives it another module path, and adds a service.
package fork

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// other comes last where imports are sorted. It is in two parts, so that the way back does not find it here.
const other = "zoo.example" + "/acme/shop"

func TestTheCheckoutBuildsUnderAnotherPath(t *testing.T) {
	t.Parallel()
	repo, c := copied(t)
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

	first, _, _ := strings.Cut(was, "/api\n") // the path of the first module
	c.run(rename, "rename", first)
	if changes := c.run("git", "diff", "--stat", "HEAD~1"); changes != "" {
		t.Errorf("there and back again is not the same:\n%s", changes)
	}
}
