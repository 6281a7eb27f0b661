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

// clean ends the system and removes what it keeps. Its folder may be somebody's home that has other things in it: they stay.
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
