package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// flushEvery is the minimum time between the beginnings of two fsyncs: lines that arrive in between share one. Each fsync of a
// growing file costs the file system a commit of its own.
const flushEvery = 5 * time.Millisecond

// journal is an append-only file of JSON lines. Lines are appended under the lock of the decisions, so they are in the order of
// the decisions. A caller is answered only after sync, which waits outside that lock: one fsync serves all that wait.
//
// An error is permanent: once the memory is ahead of the disk, no later sync may succeed.
type journal struct {
	file *os.File // nil: nothing is kept
	log  *slog.Logger

	mu       sync.Mutex
	synced   sync.Cond
	written  int // lines written to the file
	durable  int // lines that are on the disk
	flushing bool
	flushed  time.Time // when the last fsync began
	failed   error
}

// line is one thing that a party did. Exactly one field is set.
type line struct {
	Entry    *entry    `json:"entry,omitempty"`
	Shipment *shipment `json:"shipment,omitempty"` // its state from then on
	Supply   *supply   `json:"supply,omitempty"`
	Hold     *hold     `json:"hold,omitempty"` // from then on instead of one that began at the same time
}

// openJournal opens the journal in folder, and creates both if necessary. With an empty folder nothing is kept.
func openJournal(folder string, log *slog.Logger) (*journal, error) {
	j := &journal{log: log}
	j.synced.L = &j.mu
	if folder == "" {
		return j, nil
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(folder, "journal.jsonl"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := syncFolder(folder); err != nil { // the name of a new file must be durable, too
		return nil, errors.Join(fmt.Errorf("open journal: %w", err), file.Close())
	}
	j.file = file
	return j, nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// replay passes each line to apply. An incomplete last line is from a write that was interrupted by a kill, before any caller
// was answered; it is cut off.
func (j *journal) replay(apply func(line) error) error {
	if j.file == nil {
		return nil
	}
	lines := bufio.NewReader(j.file)
	var whole int64
	for n := 1; ; n++ {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			j.log.Info("journal replayed", "lines", n-1)
			if len(text) == 0 {
				return nil
			}
			j.log.Warn("a torn last line of the journal is cut off", "bytes", len(text))
			return errors.Join(j.file.Truncate(whole), j.file.Sync())
		}
		var l line
		if err == nil {
			err = json.Unmarshal(text, &l)
		}
		if err == nil {
			err = apply(l)
		}
		if err != nil {
			return fmt.Errorf("replay journal, line %d: %w", n, err)
		}
		whole += int64(len(text))
	}
}

// append writes the next line. It is on disk once a later sync returns nil; an error of append is returned by sync.
func (j *journal) append(l line) {
	if j.file == nil {
		return
	}
	text, err := json.Marshal(l)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return // the last line may be incomplete, so nothing may follow it
	}
	if err == nil {
		_, err = j.file.Write(append(text, '\n'))
	}
	if err != nil {
		j.fail(err)
		return
	}
	j.written++
}

// sync returns when everything that was appended so far is on disk, or with the first error ever.
func (j *journal) sync() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for target := j.written; j.durable < target && j.failed == nil; {
		if j.flushing {
			j.synced.Wait()
			continue
		}
		j.flushing = true
		pause := time.Until(j.flushed.Add(flushEvery))
		j.mu.Unlock()
		time.Sleep(pause)
		j.mu.Lock()
		upTo := j.written
		j.flushed = time.Now()
		j.mu.Unlock()
		err := j.file.Sync()
		j.mu.Lock()
		j.flushing = false
		if err != nil {
			j.fail(err)
		} else {
			j.durable = upTo
		}
		j.synced.Broadcast()
	}
	return j.failed
}

func (j *journal) fail(err error) {
	j.failed = err
	j.log.Error("the journal cannot be written; until a restart every call fails", "error", err)
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return errors.Join(j.sync(), j.file.Close())
}
