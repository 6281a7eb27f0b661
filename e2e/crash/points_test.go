package crash

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Without a crash, a point proves nothing; a trail to a point that does not exist would never end.
func TestEveryServiceDiesAtEachOfItsPoints(t *testing.T) {
	t.Parallel()
	all, err := Points("../testdata/repo")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d points, %v", len(all), err)
	}
	somewhere := map[string]bool{}
	for service, died := range deaths {
		program, err := os.ReadFile(filepath.Join(programs, service))
		if err != nil {
			t.Fatal(err)
		}
		own := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !bytes.Contains(program, []byte(name)) })
		ends := map[string]bool{}
		for _, d := range died {
			trail := strings.Fields(d.trail)
			for _, name := range trail {
				if !slices.Contains(own, name) {
					t.Errorf("%s has no point %s", service, name)
				}
			}
			ends[trail[len(trail)-1]] = true
		}
		for _, name := range own {
			somewhere[name] = true
			if !ends[name] {
				t.Errorf("%s never dies at %s", service, name)
			}
		}
	}
	for _, name := range all {
		if !somewhere[name] {
			t.Errorf("nobody dies at %s", name)
		}
	}
}
