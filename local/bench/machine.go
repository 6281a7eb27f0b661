package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Machine describes the machine on which the results were measured.
type Machine struct {
	Processor  string `json:"processor"`
	Cores      int    `json:"cores"`
	MemoryGB   int    `json:"memory_gb"`
	System     string `json:"system"`
	FileSystem string `json:"file_system"`
	Go         string `json:"go"`
	PostgreSQL string `json:"postgresql"`
	RabbitMQ   string `json:"rabbitmq"`
	SyncMicros int    `json:"fsync_us"` // median duration of an fsync after a small write
}

// Describe describes this machine, with the disk of a folder. Fields that cannot be determined stay empty.
func Describe(dir string) Machine {
	m := Machine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: strings.TrimPrefix(runtime.Version(), "go")}
	m.Processor = field("/proc/cpuinfo", "model name")
	var kb int
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kb); err == nil {
		m.MemoryGB = (kb + 1<<19) >> 20
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += ", Linux " + strings.TrimSpace(string(release))
	}
	m.FileSystem = fileSystem(dir)
	m.SyncMicros = int(syncTime(dir).Microseconds())
	return m
}

// field is the value of the first line "name : value" in a file.
func field(path, name string) string {
	text, _ := os.ReadFile(path) // a file that cannot be read leaves the field empty
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// fileSystem is the type of the file system that a folder is on.
func fileSystem(dir string) string {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	kind, longest := "", -1
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) > 2 && len(f[1]) >= longest && (dir == f[1] || strings.HasPrefix(dir, strings.TrimSuffix(f[1], "/")+"/")) {
			kind, longest = f[2], len(f[1])
		}
	}
	return kind
}

// serverVersions asks both servers for their versions.
func serverVersions(ctx context.Context, postgres string, broker overview) (pg, rabbit string, err error) {
	conn, err := pgx.Connect(ctx, postgres)
	if err != nil {
		return "", "", fmt.Errorf("ask PostgreSQL for its version: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost with it
	if err := conn.QueryRow(ctx, `SHOW server_version`).Scan(&pg); err != nil {
		return "", "", fmt.Errorf("ask PostgreSQL for its version: %w", err)
	}
	pg, _, _ = strings.Cut(pg, " ")
	return pg, broker.Version, nil
}

// commitOf is the commit of a checkout, with a plus when files were changed since. Empty: unknown.
func commitOf(ctx context.Context, repo string) string {
	git := func(args ...string) string {
		command := exec.CommandContext(ctx, "git", append([]string{"-C", repo}, args...)...)
		out, err := command.Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	commit := git("rev-parse", "--short=9", "HEAD")
	if commit != "" && git("status", "--porcelain", "--untracked-files=no", "--", "*.go", "*.sql") != "" {
		commit += "+"
	}
	return commit
}
