package bench

import (
	"os"
	"slices"
	"time"
)

// syncTime is the median time of an fsync after a small write, which each commit has to wait for. 0: it could not be
// measured.
func syncTime(dir string) time.Duration {
	file, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0
	}
	defer os.Remove(file.Name()) //nolint:errcheck // the folder goes as well
	defer file.Close()           //nolint:errcheck // its content is not needed
	took := make([]time.Duration, 50)
	block := make([]byte, 8192)
	for i := range took {
		began := time.Now()
		if _, err := file.Write(block); err != nil || file.Sync() != nil {
			return 0
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[len(took)/2]
}
