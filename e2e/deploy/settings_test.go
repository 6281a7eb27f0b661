package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/orderflow/local/system"
)

// repo is a link to the root of the tree. go test reuses a result while the files below the module that a test opened are
// unchanged, and ignores files outside.
const repo = "testdata/repo"

// setting is an environment variable that a program reads.
type setting struct {
	name     string
	required bool
	standard string    // its default
	meaning  string    // what the comment of its field says
	of       structure // has the settings of which name is the prefix
}

// programs are the folders of all long-running programs, by name. Each of them has to be deployed.
var programs = func() map[string]string {
	found, err := system.Programs(repo)
	if err != nil || len(found) == 0 {
		panic(fmt.Sprintf("%d programs in %s: %v", len(found), repo, err))
	}
	return found
}()

// settings reads the settings of a program from the type of its config, with embedded structs and all prefixes.
var settings = func() func(t testing.TB, program string) map[string]setting {
	var mu sync.Mutex
	all := map[string]map[string]setting{}
	return func(t testing.TB, program string) map[string]setting {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if all[program] == nil {
			all[program] = map[string]setting{}
			if program == "provision" {
				readProvision(t, all[program])
			} else {
				readConfig(t, programs[program], all[program])
			}
		}
		return all[program]
	}
}()

func readConfig(t testing.TB, folder string, into map[string]setting) {
	t.Helper()
	within, err := filepath.Rel(repo, folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range (structure{within, "config"}).read(t, "", func(structure) bool { return false }) {
		into[s.name] = s
	}
}

// readProvision runs the program without settings: it has no config, but names all that are missing.
func readProvision(t testing.TB, into map[string]setting) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "provision")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/provision")
	build.Dir = filepath.Join(repo, "local")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build provision: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), binary)
	run.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := run.CombinedOutput()
	if run.ProcessState == nil || run.ProcessState.ExitCode() != 2 {
		t.Fatalf("provision without settings: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if indented, ok := strings.CutPrefix(line, "  "); ok {
			into[strings.Fields(indented)[0]] = setting{required: true}
		}
	}
}

// ofOthers are variables that the Go runtime and libraries read.
var ofOthers = []string{
	"GOMEMLIMIT", "PGSSLMODE", "PGSSLROOTCERT",
	"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
}

// check compares the environment of a container with the settings of its program.
func check(t testing.TB, c container) {
	t.Helper()
	known := settings(t, c.program)
	complain := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: %s: %s", c.where, c.program, fmt.Sprintf(format, args...))
	}
	for name := range c.env {
		if _, ok := known[name]; !ok && !slices.Contains(ofOthers, name) && !c.partOfAnother(name) {
			complain("%s is none of its settings", name)
		}
	}
	for name, s := range known {
		value, given := c.env[name]
		switch {
		case given && value == "":
			complain("%s is empty", name)
		case given:
		case s.required:
			complain("%s is missing", name)
		case strings.Contains(s.standard, "localhost") || strings.Contains(s.standard, "127.0.0.1"):
			if name == "JWKS_URL" && c.env["OIDC_ISSUER"] != "" {
				continue // OIDC_ISSUER replaces it
			}
			complain("%s is missing, and its default %s is nowhere in a container", name, s.standard)
		}
	}
}
