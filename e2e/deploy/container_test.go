// Package deploy holds together what is written in several places and nobody compiles: the settings that programs have, the
// Dockerfile, docker-compose.yml, and what is rendered of k8s. Nothing is started.
//
// Kustomize itself renders, as kubectl does, so that what is looked at is what would be applied, with every patch. That is
// why this is a module of its own: nobody else needs kustomize.
package deploy

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// container is one program as one of the files describes it.
type container struct {
	where, program string
	env            map[string]string
	memory         int64 // limit in bytes
}

// secret stands for a value that is not in the files.
const secret = "secret"

// partOfAnother is whether a variable is there for another one to contain: a password in an address.
func (c container) partOfAnother(name string) bool {
	for other, value := range c.env {
		if other != name && strings.Contains(value, "$("+name+")") {
			return true
		}
	}
	return false
}

// listens are the ports that its settings make it listen on.
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

// image reads what the Dockerfile gives to all programs: the environment, and the port.
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

// bytes reads a size as Compose, Kubernetes and Go write it: 80m, 192Mi, 160MiB. All of them are powers of two here.
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

// checkMemory wants Go to know of the limit, and to have some of it left for what Go does not count.
func checkMemory(t testing.TB, c container) {
	t.Helper()
	if c.program == "provision" {
		return // is gone before it would matter
	}
	if of := bytes(t, c.env["GOMEMLIMIT"]); of > c.memory*9/10 {
		t.Errorf("%s: %s: GOMEMLIMIT is %s, of %d MiB", c.where, c.program, c.env["GOMEMLIMIT"], c.memory>>20)
	}
}
