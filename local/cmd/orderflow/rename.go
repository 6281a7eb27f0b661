package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"example.com/orderflow/local/system"
)

// rename gives the modules of the checkout another path, as a fork wants it. It changes files that git knows and no others,
// and they must be committed before, so that git can show what it has done and take it back.
func rename(ctx context.Context, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return errors.New("rename to which path? make rename MODULE=github.com/acme/shop")
	}
	to := args[0]
	if err := checkModulePath(to); err != nil {
		return err
	}
	repo, err := system.FindRepo(".")
	if err != nil {
		return err
	}
	changes, err := git(ctx, repo, "status", "--porcelain", "--", ".")
	if err != nil {
		return err
	}
	if first, _, some := strings.Cut(changes, "\n"); some {
		return fmt.Errorf("there are changes that are not committed (%s): commit or stash them first, so that git can take the rename back",
			strings.TrimSpace(first))
	}
	listed, err := git(ctx, repo, "ls-files", "-z", "--", ".")
	if err != nil {
		return err
	}
	from, changed, err := renameModules(repo, strings.Split(strings.TrimSuffix(listed, "\x00"), "\x00"), to)
	if err != nil {
		return err
	}
	for _, name := range changed {
		if filepath.Base(name) == "go.mod" {
			if err := sortRequirements(ctx, filepath.Join(repo, name)); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%s is %s now, in %d files\n", from, to, len(changed))
	fmt.Println("to look at it: git diff; to take it back: git restore .; to check it: make vet lint test")
	return nil
}

// git runs it in a checkout that may belong to another user, as the mount of a container mostly does.
func git(ctx context.Context, repo string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", repo, "-c", "safe.directory=*"}, args...)...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(failed.Stderr))
	}
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return string(out), nil
}

// sortRequirements puts the lines of a go.mod into the order in which `go mod tidy` would have them.
func sortRequirements(ctx context.Context, file string) error {
	if out, err := exec.CommandContext(ctx, "go", "mod", "edit", "-fmt", file).CombinedOutput(); err != nil {
		return fmt.Errorf("sort %s: %w\n%s", file, err, out)
	}
	return nil
}

// goodPath is stricter than Go in one thing: there is a slash. The name of a host alone is in too many other texts.
var goodPath = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)+(/[A-Za-z0-9_~-]+(\.[A-Za-z0-9_~-]+)*)+$`)

func checkModulePath(path string) error {
	if !goodPath.MatchString(path) {
		return fmt.Errorf("%q is not a module path: it must look like github.com/acme/shop, which is a host, a slash, and names of "+
			"letters, digits and - . _ ~", path)
	}
	return nil
}

// thisModule is the module of this program, from which the path of all modules is known.
var thisModule = regexp.MustCompile(`(?m)^module (\S+)/local$`)

// renameModules changes the files below root that name the modules' path, and says from which path and which files. It
// reads all of them before it writes one: a file that is no Go any more is found in time.
func renameModules(root string, names []string, to string) (from string, changed []string, err error) {
	mod, err := os.ReadFile(filepath.Join(root, "local", "go.mod"))
	if err != nil {
		return "", nil, fmt.Errorf("find the path that the modules have: %w", err)
	}
	found := thisModule.FindSubmatch(mod)
	if found == nil {
		return "", nil, errors.New("local/go.mod does not say which path the modules have")
	}
	from = string(found[1])
	if from == to {
		return "", nil, fmt.Errorf("%s is the path of the modules already", to)
	}

	texts := map[string][]byte{}
	for _, name := range names {
		file := filepath.Join(root, name)
		if info, err := os.Lstat(file); err != nil || !info.Mode().IsRegular() {
			continue // a link: what it leads to has a name of its own
		}
		was, err := os.ReadFile(file)
		if err != nil {
			return "", nil, fmt.Errorf("rename: %w", err)
		}
		is := replacePath(string(was), from, to)
		if is == string(was) || bytes.IndexByte(was, 0) >= 0 {
			continue
		}
		text := []byte(is)
		if filepath.Ext(name) == ".go" { // sorts the imports
			if text, err = format.Source(text); err != nil {
				return "", nil, fmt.Errorf("format %s: %w", name, err)
			}
		}
		changed, texts[name] = append(changed, name), text
	}
	for _, name := range changed {
		if err := os.WriteFile(filepath.Join(root, name), texts[name], 0o600); err != nil { // which keeps its mode
			return "", nil, fmt.Errorf("rename: %w", err)
		}
	}
	return from, changed, nil
}

// replacePath replaces a path where it begins and ends. In registry.acme.dev/shop and in acme.dev/shop-images, acme.dev/shop is
// part of another one.
func replacePath(text, from, to string) string {
	var out strings.Builder
	for {
		at := strings.Index(text, from)
		if at < 0 {
			out.WriteString(text)
			return out.String()
		}
		end := at + len(from)
		out.WriteString(text[:at])
		if (at > 0 && partOfName(text[at-1], ".@")) || (end < len(text) && partOfName(text[end], "")) {
			out.WriteString(from)
		} else {
			out.WriteString(to)
		}
		text = text[end:]
	}
}

// partOfName reports whether a byte beside a path makes it another one.
func partOfName(b byte, more string) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("-_~"+more, b) >= 0
}
