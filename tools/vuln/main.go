// Command vuln looks for known vulnerabilities in what modules reach, with govulncheck, and lists each once. Its exit code is
// 1 when there is one that nobody has looked into.
//
//	go run ./vuln FOLDER...
//
// The database is Go's own. It is fetched as a module, golang.org/x/vulndb, so that nothing has to be reached but the proxy
// that all other modules come from.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

// unaffected are vulnerabilities of modules that we use otherwise than the way that is vulnerable, and why.
var unaffected = map[string]string{
	"GO-2026-6872": "a client's address is read from the X-Forwarded-For of trusted proxies only (pkg/web/proxies.go)",
	"GO-2026-6875": "echo's proxy is not used, and the gateway's passes no X-Real-IP on (gateway/forward_test.go)",
}

// report is what govulncheck says in one of its JSON objects.
type report struct {
	OSV *struct {
		ID, Summary string
	}
	Finding *struct {
		OSV   string
		Fixed string `json:"fixed_version"`
		Trace []struct{ Module, Version, Package, Function string }
	}
}

// vulnerability is one that a program can be hit by.
type vulnerability struct {
	id, summary  string
	found, fixed string // versions; fixed is empty while there is none
	modules      []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "vuln:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, folders []string) error {
	version, database, err := fetch(ctx)
	if err != nil {
		return err
	}
	tools, err := filepath.Abs("go.mod")
	if err != nil {
		return err
	}
	found := map[string]*vulnerability{}
	for _, folder := range folders {
		check := exec.CommandContext(ctx, "go", "tool", "-modfile="+tools, "govulncheck", "-format", "json", "-db", database, "./...")
		check.Dir, check.Stderr = folder, os.Stderr
		check.Env = append(os.Environ(), "GOWORK=off")
		said, err := check.Output()
		if err == nil {
			err = collect(found, filepath.Base(folder), said)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
	}
	return judge(out, found, version)
}

// fetch returns the version of the database and where it is.
func fetch(ctx context.Context) (version, url string, err error) {
	said, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", "golang.org/x/vulndb@latest").Output()
	var module struct{ Version, Dir, Error string }
	if err := errors.Join(err, json.Unmarshal(said, &module)); err != nil {
		return "", "", fmt.Errorf("fetch the database of vulnerabilities: %w %s", err, module.Error)
	}
	return module.Version, "file://" + filepath.ToSlash(filepath.Join(module.Dir, "data", "osv")), nil
}

// collect adds what govulncheck has said of a module: what its code reaches, rather than what is somewhere in what it imports.
func collect(found map[string]*vulnerability, module string, said []byte) error {
	summaries := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(said)); ; {
		var r report
		switch err := decoder.Decode(&r); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("what govulncheck says: %w", err)
		case r.OSV != nil:
			summaries[r.OSV.ID] = r.OSV.Summary
		case r.Finding != nil && len(r.Finding.Trace) > 0 && r.Finding.Trace[0].Function != "":
			f := r.Finding
			v := found[f.OSV]
			if v == nil {
				v = &vulnerability{id: f.OSV, summary: summaries[f.OSV], found: f.Trace[0].Module + " " + f.Trace[0].Version, fixed: f.Fixed}
				found[f.OSV] = v
			}
			if !slices.Contains(v.modules, module) {
				v.modules = append(v.modules, module)
			}
		}
	}
}

// judge lists what was found. One without any effect on us is listed with the reason.
func judge(out io.Writer, found map[string]*vulnerability, database string) error {
	open := 0
	for _, id := range slices.Sorted(maps.Keys(found)) {
		v := found[id]
		fixed := "not fixed so far"
		if v.fixed != "" {
			fixed = "fixed in " + v.fixed
		}
		fmt.Fprintf(out, "%s  %s\n  %s, %s; in %s\n", v.id, v.summary, v.found, fixed, strings.Join(v.modules, ", "))
		if why, known := unaffected[id]; known {
			fmt.Fprintf(out, "  does not affect us: %s\n", why)
			continue
		}
		open++
	}
	fmt.Fprintf(out, "%d known vulnerabilities are reached, %d of them to be looked into (database %s)\n", len(found), open, database)
	if open > 0 {
		return errors.New("those of stdlib go with a newer Go; others are updated, or looked into and listed in tools/vuln")
	}
	return nil
}
