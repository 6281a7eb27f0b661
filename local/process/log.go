package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// logSize is the size from which a log file is renamed when its process starts.
const logSize = 20 << 20

// OpenLog opens a file for a child's output. It appends to the file of earlier runs; a large file is first renamed to
// path.old.
func OpenLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("folder for a log: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > logSize {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, fmt.Errorf("put a large log aside: %w", err)
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a log: %w", err)
	}
	return log, nil
}

// LogTail is the end of a log file, for an error message.
func LogTail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return path + " ends with:\n" + strings.Join(lines[max(0, len(lines)-12):], "\n")
}
