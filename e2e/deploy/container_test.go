// Package deploy compares what is written in several places and not checked by a compiler: the settings of programs, the
// Dockerfile, docker-compose.yml, and the manifests rendered from k8s. Nothing is started.
//
// The manifests are rendered by kustomize itself, as by kubectl, so that they are exactly what would be applied, with every
// patch. Therefore this is a module of its own: no other code needs kustomize.
package deploy

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// container is a program's container as one of the files describes it.
type container struct {
	where, program string
	env            map[string]string
	memory         int64 // limit in bytes
}

// secret replaces a value that is not in the files.
const secret = "secret"

// partOfAnother reports whether a variable exists only to be part of another one, as a password in a URL.
func (c container) partOfAnother(name string) bool {
	for other, value := range c.env {
		if other != name && strings.Contains(value, "$("+name+")") {
			return true
		}
	}
	return false
}

// listens are the ports that the settings make the program listen on.
func (c container) listens(t testing.TB) (ports []int) {
	t.Helper()
	for _, name := range []string{"HTTP_ADDR", "ADMIN_ADDR"} {
		address, ok := c.env[name]
		if !ok {
			continue
		}
		host, port, ok := strings.Cut(address, ":")
		number, err := strconv.Atoi(port)
		if !ok || err != nil || host != "" {
			t.Errorf("%s: %s: %s=%s is not a port of all addresses", c.where, c.program, name, address)
		}
		ports = append(ports, number)
	}
	return ports
}

// addresses are the URLs in the settings, by setting. A setting may be a list, and its entries may have names: orders=http://….
func (c container) addresses() map[string][]*url.URL {
	all := map[string][]*url.URL{}
	for name, value := range c.env {
		for entry := range strings.SplitSeq(value, ",") {
			if before, after, ok := strings.Cut(entry, "=http"); ok && !strings.Contains(before, "/") {
				entry = "http" + after
			}
			if to, err := url.Parse(strings.NewReplacer("$(", "", ")", "").Replace(entry)); err == nil && to.Host != "" {
				all[name] = append(all[name], to)
			}
		}
	}
	return all
}

// image reads from the Dockerfile the environment and the port of all programs.
func image(t testing.TB) (env map[string]string, port int) {
	t.Helper()
	env = map[string]string{}
	for line := range strings.Lines(string(read(t, "Dockerfile"))) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "ENV":
			name, value, _ := strings.Cut(rest, "=")
			env[name] = value
		case "EXPOSE":
			number, err := strconv.Atoi(rest)
			if err != nil {
				t.Fatal(err)
			}
			port = number
		}
	}
	return env, port
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repo, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// bytes reads a size in the notation of Compose, Kubernetes and Go: 80m, 192Mi, 160MiB. All are powers of two here.
func bytes(t testing.TB, size string) int64 {
	t.Helper()
	digits := strings.TrimRight(size, "MmGgiB")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		t.Fatalf("size %q: %v", size, err)
	}
	switch strings.ToLower(strings.TrimRight(size[len(digits):], "iB")) {
	case "g":
		return n << 30
	case "m":
		return n << 20
	}
	t.Fatalf("size %q has another unit", size)
	return 0
}

// checkMemory requires GOMEMLIMIT below the container's limit, with room for memory that Go does not count.
func checkMemory(t testing.TB, c container) {
	t.Helper()
	if c.program == "provision" {
		return // it ends before the limit would matter
	}
	if of := bytes(t, c.env["GOMEMLIMIT"]); of > c.memory*9/10 {
		t.Errorf("%s: %s: GOMEMLIMIT is %s, of %d MiB", c.where, c.program, c.env["GOMEMLIMIT"], c.memory>>20)
	}
}
