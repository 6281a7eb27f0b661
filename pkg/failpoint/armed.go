//go:build failpoint

// Package failpoint makes a program die that was built for it.
package failpoint

import (
	"os"
	"strings"
	"sync"
)

var mu sync.Mutex // one goroutine passes a point at a time

// At ends the process as kill -9 would if that is what the file wants that FAILPOINT names: no deferred function runs, no
// buffer is flushed, nobody is told. The file has the points that are to be passed, separated by spaces. Each is taken out
// when it is passed and the process dies at the last, having removed the file: it has died there and nowhere else, and
// lives when it is started again. The file is read at each pass, so that a program that runs can be told to die.
//
// No other package but service reads the environment. This one does because it is no part of what users run: a field of
// the settings would be, and would have to be carried to each point.
func At(name string) {
	file := os.Getenv("FAILPOINT")
	if file == "" {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	wanted, err := os.ReadFile(file)
	if err != nil {
		return // nobody wants anything
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
	select {} // a signal takes a moment, in which nothing must happen
}

// must ends the program in a way that whoever waits for its death can tell from it.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
