package live

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

// Whatever a reader sends as Last-Event-ID is read as the number of an entry, as nothing, or as unknown. An id that we have
// sent is read correctly.
func FuzzLastEventID(f *testing.F) {
	for _, id := range []string{"7", "", "-1", "9223372036854775807", "9223372036854775808", "0x7", " 7", "7\n8"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		n := lastSeen(id)
		if n < unknown || n > math.MaxInt32 || n > 0 && !strings.Contains(id, strconv.Itoa(n)) || n == 0 && strings.Trim(id, "+-0") != "" {
			t.Errorf("%q is %d", id, n)
		}
		if n >= 0 && lastSeen(strconv.Itoa(n)) != n {
			t.Errorf("%d is not read as it was told", n)
		}
	})
}
