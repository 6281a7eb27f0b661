package stories

import (
	"io/fs"
	"path/filepath"
	"sync"
	"testing"

	"example.com/orderflow/local/system"
)

// Look opens the sources of the programs, once. A test that compiles them, or reads a page, needs this: go test reuses the
// result of a test while the files below the module that the test opened are unchanged. It ignores files outside, and files that
// other processes read, such as the compiler. So the module has a link to the tree. New looks, too.
func Look(t testing.TB) {
	t.Helper()
	if err := look(); err != nil {
		t.Fatal(err)
	}
}

var look = sync.OnceValue(func() error {
	repo, err := system.FindRepo(".")
	if err != nil {
		return err
	}
	for _, folder := range []string{"bff-web", "gateway", "pkg", "services", "simulator"} {
		err := filepath.WalkDir(filepath.Join(repo, "e2e", "testdata", "repo", folder), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			return err
		}
	}
	return nil
})
