package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	oldPath = "acme.dev/shop"
	newPath = "zoo.dev/animals"
)

// small is a checkout with all that may name the path, before and after.
var small = map[string][2]string{
	"go.work":      {"go 1.26.0\n\nuse ./local\n", ""},
	"local/go.mod": {"module acme.dev/shop/local\n\ngo 1.26.0\n", "module zoo.dev/animals/local\n\ngo 1.26.0\n"},
	"pkg/go.mod": {
		"module acme.dev/shop/pkg\n\nrequire (\n\tacme.dev/shop/local v0.0.0\n\tgithub.com/google/uuid v1.6.0\n)\n\nreplace acme.dev/shop/local => ../local\n",
		"module zoo.dev/animals/pkg\n\nrequire (\n\tgithub.com/google/uuid v1.6.0\n\tzoo.dev/animals/local v0.0.0\n)\n\nreplace zoo.dev/animals/local => ../local\n",
	},
	"pkg/pkg.go": {
		"// Package pkg is acme.dev/shop/pkg.\npackage pkg\n\nimport (\n\t_ \"acme.dev/shop/local\"\n\t_ \"github.com/google/uuid\"\n)\n\nconst module = \"acme.dev/shop/pkg/\"\n",
		"// Package pkg is zoo.dev/animals/pkg.\npackage pkg\n\nimport (\n\t_ \"github.com/google/uuid\"\n\t_ \"zoo.dev/animals/local\"\n)\n\nconst module = \"zoo.dev/animals/pkg/\"\n",
	},
	"Dockerfile": {
		"-X acme.dev/shop/pkg.version=$VERSION \\\nsource=https://acme.dev/shop \\\n",
		"-X zoo.dev/animals/pkg.version=$VERSION \\\nsource=https://zoo.dev/animals \\\n",
	},
	"others": {"registry.acme.dev/shop acme.dev/shop-images acme.dev/shopping me@acme.dev/shop ACME.DEV/shop acme.dev\n", ""},
	"binary": {"acme.dev/shop\x00", ""},
}

func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range small {
		put(t, filepath.Join(root, name), text[0])
	}
	if err := os.Symlink("pkg.go", filepath.Join(root, "pkg", "link.go")); err != nil {
		t.Fatal(err)
	}
	return root
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func hold(t *testing.T, root string, after bool) {
	t.Helper()
	for name, text := range small {
		want := text[0]
		if after && text[1] != "" {
			want = text[1]
		}
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
		}
	}
}

// committed makes a checkout a repository of git's in which all is committed.
func committed(t *testing.T, root string) {
	t.Helper()
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"add", "--all"},
		{"-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", "all"},
	} {
		if _, err := git(t.Context(), root, args...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAForkGetsItsPathEverywhereItIsMeant(t *testing.T) {
	root := checkout(t)
	committed(t, root)
	t.Chdir(filepath.Join(root, "pkg"))
	if err := rename(t.Context(), []string{newPath}); err != nil {
		t.Fatal(err)
	}
	hold(t, root, true)
	if info, err := os.Lstat(filepath.Join(root, "pkg", "link.go")); err != nil || info.Mode().IsRegular() {
		t.Errorf("the link is a file now: %v, %v", info, err)
	}
}

func TestARenameThatCannotBeDoneChangesNothing(t *testing.T) {
	for what, test := range map[string]struct {
		args   []string
		before func(t *testing.T, root string)
		want   string
	}{
		"no path":              {nil, nil, "make rename MODULE="},
		"an empty path":        {[]string{""}, nil, "make rename MODULE="},
		"two paths":            {[]string{"a.b/c", "d.e/f"}, nil, "make rename MODULE="},
		"a bad path":           {[]string{"shop"}, nil, `"shop" is not a module path`},
		"the path that it has": {[]string{oldPath}, nil, "already"},
		"a change": {[]string{newPath}, func(t *testing.T, root string) {
			put(t, filepath.Join(root, "new.go"), "package new\n")
		}, "not committed (?? new.go)"},
		"a file that is no Go": {[]string{newPath}, func(t *testing.T, root string) {
			put(t, filepath.Join(root, "zoo.go"), "package zoo\n\nimport (\n\t\"acme.dev/shop/local\"\n")
			committed(t, root)
		}, "format zoo.go"},
	} {
		t.Run(what, func(t *testing.T) {
			root := checkout(t)
			committed(t, root)
			if test.before != nil {
				test.before(t, root)
			}
			t.Chdir(root)
			if err := rename(t.Context(), test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want one with %q", err, test.want)
			}
			hold(t, root, false)
		})
	}
}

func TestARenameNeedsAGitThatKnowsTheCheckout(t *testing.T) {
	root := checkout(t)
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(root))
	t.Chdir(root)
	if err := rename(t.Context(), []string{newPath}); err == nil || !strings.Contains(err.Error(), "not a git repository") {
		t.Errorf("outside of one: %v", err)
	}
	hold(t, root, false)
}

func TestABadModulePathIsRefused(t *testing.T) {
	t.Parallel()
	good := []string{"github.com/acme/shop", "acme.dev/shop", "git.acme.co.uk/a/b/c", "github.com/Acme/Shop_2.0-~x", "github.com/acme/shop/v2"}
	bad := []string{
		"", "shop", "acme/shop", "github.com", "github.com/", "github.com/acme/", "/github.com/acme", "github.com//acme", "GitHub.com/acme",
		"https://github.com/acme/shop", "git@github.com:acme/shop", "github.com/acme/shop.", "github.com/.acme/shop", "github.com/../shop",
		"github.com/acme shop", "github.com/acme/shop\n", "github.com/acme/läden", "-github.com/acme/shop", `github.com\acme`, "github.com/a'b",
	}
	for _, path := range good {
		if err := checkModulePath(path); err != nil {
			t.Error(err)
		}
	}
	for _, path := range bad {
		if checkModulePath(path) == nil {
			t.Errorf("%q is taken", path)
		}
	}
}

func TestTheFilesThatNameThePathAreCounted(t *testing.T) {
	t.Parallel()
	names := slices.Sorted(maps.Keys(small))
	from, changed, err := renameModules(checkout(t), names, newPath)
	if want := []string{"Dockerfile", "local/go.mod", "pkg/go.mod", "pkg/pkg.go"}; err != nil || from != oldPath || !slices.Equal(changed, want) {
		t.Errorf("%s, %v, %v, want %v", from, changed, err, want)
	}
}
