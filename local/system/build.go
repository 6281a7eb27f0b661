package system

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Programs are the folders of the programs of the workspace at repo, by name. They differ between releases.
func Programs(repo string) (map[string]string, error) {
	folders := map[string]string{}
	for _, pattern := range []string{"*", "services/*"} {
		found, err := filepath.Glob(filepath.Join(repo, pattern, "main.go"))
		if err != nil {
			return nil, fmt.Errorf("look for programs: %w", err)
		}
		for _, file := range found {
			folders[filepath.Base(filepath.Dir(file))] = filepath.Dir(file)
		}
	}
	return folders, nil
}

// Build compiles all programs of the workspace at repo into the folder out; flags are passed to go build.
func Build(ctx context.Context, repo, out string, flags ...string) error {
	if err := os.MkdirAll(out, 0o750); err != nil {
		return fmt.Errorf("folder for the programs: %w", err)
	}
	// Without version control: git refuses to work in a checkout that another user owns.
	args := append([]string{"build", "-buildvcs=false", "-o", out + string(filepath.Separator)}, flags...)
	folders, err := Programs(repo)
	if err != nil {
		return err
	}
	args = slices.AppendSeq(args, maps.Values(folders))
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
