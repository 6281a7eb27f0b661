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

// clean ends the system and removes its data. Other things in its folder stay, because it may be anybody's home folder.
func clean(ctx context.Context, s settings) error {
	if _, err := os.Stat(s.dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := down(ctx, s); err != nil {
		return err
	}
	if err := system.Remove(s.dir); err != nil {
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
