package time

import (
	"sync/atomic"
	"syscall"
)

// moved is the error of this process's clock in seconds. It only changes the wall clock in the result of Now: like the kernel's,
// the monotonic clock, which measures waits and deadlines, is never changed.
var moved atomic.Int64

// The file named by CLOCK is read again and again, so that the clock can be changed while the process runs.
func init() {
	file, ok := syscall.Getenv("CLOCK")
	if !ok {
		return
	}
	go func() {
		for ; ; Sleep(100 * Millisecond) {
			moved.Store(secondsIn(file))
		}
	}()
}

// secondsIn reads a number with or without a minus sign; 0 when there is none.
func secondsIn(file string) int64 {
	fd, err := open(file)
	if err != nil {
		return 0
	}
	defer closefd(fd)
	var text [16]byte
	n, _ := read(fd, text[:])
	var seconds int64
	sign := int64(1)
	for _, c := range text[:n] {
		if c == '-' {
			sign = -1
			continue
		}
		seconds = 10*seconds + int64(c-'0')
	}
	return sign * seconds
}
