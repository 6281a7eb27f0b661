package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrLocked is the error for a file that another program has locked.
var ErrLocked = errors.New("locked by another program")

// Lock locks a file for this program until the file is closed or the program ends.
func Lock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, ErrLocked), file.Close())
	}
	return file, nil
}
