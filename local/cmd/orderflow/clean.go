package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"example.com/orderflow/local/system"
)

// clean ends the system and removes its data. The checkout's own folder goes with all that is in it, such as measurements. In any
// other folder, what the system has not made stays, because it may be anybody's home folder.
func clean(ctx context.Context, s settings) error {
	if _, err := os.Stat(s.dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := down(ctx, s); err != nil {
		return err
	}
	if s.dir == ownFolder(s.repo) {
		if err := os.RemoveAll(s.dir); err != nil {
			return fmt.Errorf("remove the checkout's folder: %w", err)
		}
		return nil
	}
	if err := errors.Join(system.Remove(s.dir), removeKilledDemos(s.dir)); err != nil {
		return err
	}
	for _, name := range []string{"bin", "lock", "supervisor.json"} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			return fmt.Errorf("remove what the system keeps: %w", err)
		}
	}
	if err := os.Remove(s.dir); err != nil && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) {
		return fmt.Errorf("remove the system's folder: %w", err)
	}
	return nil
}
