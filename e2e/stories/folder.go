package stories

import (
	"os"
	"testing"
)

// Folder makes a folder for a system, which is kept when the test fails. It is not t.TempDir: PostgreSQL may have to run as somebody
// else, who cannot reach that.
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
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // for somebody else, as said: to pass through, not to read
		t.Fatal(err)
	}
	return dir
}
