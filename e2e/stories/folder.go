package stories

import (
	"os"
	"testing"
)

// Folder makes a folder for a system, which is kept when the test fails. It is not t.TempDir, because PostgreSQL may have to run
// as another user, which cannot reach that.
func Folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "orderflow-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs and data are in %s", dir)
			return
		}
		_ = os.RemoveAll(dir) // only a temporary folder is left behind
	})
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // the other user may pass through, not read
		t.Fatal(err)
	}
	return dir
}
