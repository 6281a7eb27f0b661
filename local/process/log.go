package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// logSize is where a log file is put aside when its process is started anew.
const logSize = 20 << 20

// OpenLog opens a file for the output of a child. It continues the file of earlier runs; one that has grown large is
// kept under the name path.old.
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
