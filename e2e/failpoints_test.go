package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"example.com/orderflow/e2e/crash"
)

// Programs as users run them contain no failpoints (pkg/failpoint): neither the calls nor the names of the points. e2e/crash
// shows that such a search would find the names, in programs that have failpoints.
func TestTheProgramsHaveNoFailpoints(t *testing.T) {
	t.Parallel()
	points, err := crash.Points("testdata/repo")
	if err != nil || len(points) == 0 {
		t.Fatalf("%d points, %v", len(points), err)
	}
	points = append(points, "FAILPOINT")
	files, err := os.ReadDir(programs)
	if err != nil || len(files) < 6 {
		t.Fatalf("programs: %v, %v", files, err)
	}
	for _, file := range files {
		program, err := os.ReadFile(filepath.Join(programs, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, point := range points {
			if bytes.Contains(program, []byte(point)) {
				t.Errorf("%s has %s in it", file.Name(), point)
			}
		}
	}
}
