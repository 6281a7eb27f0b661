//go:build failpoint

// Package failpoint lets a program die that was built for it.
package failpoint

import (
	"os"
	"strings"
	"sync"
)

var mu sync.Mutex // one goroutine passes a point at a time

// At ends the process like kill -9 when the file that FAILPOINT names asks for it: no deferred function runs, no buffer is
// flushed. The file lists the points that are to be passed, separated by spaces. A point is removed from the file when it
// is passed. At the last one the process removes the file and dies: it dies there and nowhere else, and lives when it is
// started again. The file is read at each pass, so a running program can be told to die.
//
// No other package but service reads the environment. This one does because it is no part of the programs that users run:
// as a field of the settings it would be, and it would have to be carried to each point.
func At(name string) {
	file := os.Getenv("FAILPOINT")
	if file == "" {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	wanted, err := os.ReadFile(file)
	if err != nil {
		return // no point is wanted
	}
	next, rest, more := strings.Cut(string(wanted), " ")
	if next != name {
		return
	}
	if more {
		must(os.WriteFile(file, []byte(rest), 0o600))
		return
	}
	must(os.Remove(file))
	self, err := os.FindProcess(os.Getpid())
	must(err)
	must(self.Kill())
	select {} // until the signal arrives, nothing must happen
}

// must panics on an error, so that the test that waits for the program's death sees the difference.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
