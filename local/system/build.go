package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build compiles all programs of the workspace at repo into the folder out, with further flags of go build.
func Build(ctx context.Context, repo, out string, flags ...string) error {
	if err := os.MkdirAll(out, 0o750); err != nil {
		return fmt.Errorf("folder for the programs: %w", err)
	}
	// Without version control: git refuses to speak about a checkout that somebody else owns.
	args := append([]string{"build", "-buildvcs=false", "-o", out + string(filepath.Separator)}, flags...)
	for _, program := range programs {
		folder := filepath.Join(repo, program)
		if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
			folder = filepath.Join(repo, "services", program)
		}
		args = append(args, folder)
	}
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = repo
	command.Env = append(os.Environ(), "GOWORK="+filepath.Join(repo, "go.work"))
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, output)
	}
	return nil
}

// FindRepo returns the root of the workspace that a folder is in.
func FindRepo(folder string) (string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", fmt.Errorf("find the workspace: %w", err)
	}
	for parent := folder; ; parent = filepath.Dir(parent) {
		if _, err := os.Stat(filepath.Join(parent, "go.work")); err == nil {
			return parent, nil
		}
		if parent == filepath.Dir(parent) {
			return "", fmt.Errorf("no go.work in %s or above it: run this inside of a checkout of Orderflow", folder)
		}
	}
}
