package servers

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Missing is the error for a program that is not on this machine. Its text says how to install it.
type Missing struct {
	Program string // the program that is missing
	Package string // the Debian package that has it
}

func (m Missing) Error() string {
	return fmt.Sprintf("%s is not installed; to install it: %s", m.Program, InstallCommand(m.Package))
}

// InstallCommand is the command line that installs Debian packages, or their counterparts on other systems.
func InstallCommand(packages ...string) string {
	if runtime.GOOS == "darwin" {
		formulas := make([]string, len(packages))
		for i, name := range packages {
			formulas[i] = cmp.Or(brewFormula[name], name)
		}
		return "brew install " + strings.Join(formulas, " ")
	}
	names := strings.Join(packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "install the packages " + names + ", or what your system calls them"
	}
	command := "apt-get install -y --no-install-recommends " + names
	if os.Geteuid() != 0 {
		return "sudo " + command
	}
	return command
}

var brewFormula = map[string]string{"postgresql": "postgresql@17", "rabbitmq-server": "rabbitmq"}

// FindPostgres returns the folder of PostgreSQL's programs: of the given major version if it is installed, otherwise of the
// newest on this machine.
func FindPostgres(version string) (string, error) {
	var folders []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
	} {
		found, _ := filepath.Glob(pattern) // the patterns are valid, so there is no error
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(major(b), major(a)) })
		folders = append(folders, found...)
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		folders = append(folders, filepath.Dir(initdb))
	}
	folders = slices.DeleteFunc(folders, func(folder string) bool {
		return !executable(filepath.Join(folder, "initdb")) || !executable(filepath.Join(folder, "postgres"))
	})
	if len(folders) == 0 {
		return "", Missing{Program: "PostgreSQL", Package: "postgresql"}
	}
	if wanted := slices.IndexFunc(folders, func(folder string) bool { return strconv.Itoa(major(folder)) == version }); wanted >= 0 {
		return folders[wanted], nil
	}
	return folders[0], nil
}

// major reads the version from a folder such as /usr/lib/postgresql/15/bin; 0: it has none.
func major(folder string) int {
	digits := strings.Trim(filepath.Base(filepath.Dir(folder)), "abcdefghijklmnopqrstuvwxyz-@")
	version, _ := strconv.Atoi(digits) // no digits: 0, so that it comes last
	return version
}

// FindRabbitMQ returns the path of rabbitmq-server.
func FindRabbitMQ() (string, error) {
	candidates := []string{
		// Debian's /usr/sbin/rabbitmq-server runs only as root or rabbitmq; the script that it calls runs as any user.
		"/usr/lib/rabbitmq/bin/rabbitmq-server",
		"/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server",
		"/usr/local/opt/rabbitmq/sbin/rabbitmq-server",
	}
	if path, err := exec.LookPath("rabbitmq-server"); err == nil {
		candidates = append(candidates, path)
	}
	for _, path := range candidates {
		if executable(path) {
			return path, nil
		}
	}
	return "", Missing{Program: "RabbitMQ", Package: "rabbitmq-server"}
}

// findRabbitmqctl returns the path of rabbitmqctl, which is beside rabbitmq-server.
func findRabbitmqctl() (string, error) {
	server, err := FindRabbitMQ()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(server), "rabbitmqctl")
	if !executable(path) {
		return "", Missing{Program: "rabbitmqctl", Package: "rabbitmq-server"}
	}
	return path, nil
}

// findEpmd returns the path of epmd, Erlang's port mapper, which comes with RabbitMQ.
func findEpmd() (string, error) {
	if path, err := exec.LookPath("epmd"); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/erlang/erts-*/bin/epmd")
	for _, pattern := range []string{"/opt/homebrew/opt/erlang/lib/erlang/erts-*/bin/epmd", "/usr/local/opt/erlang/lib/erlang/erts-*/bin/epmd"} {
		more, _ := filepath.Glob(pattern)
		found = append(found, more...)
	}
	if len(found) == 0 {
		return "", Missing{Program: "Erlang's epmd", Package: "rabbitmq-server"}
	}
	return found[len(found)-1], nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}
