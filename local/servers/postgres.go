package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/process"
)

// Postgres is a private PostgreSQL server. Its methods are for one goroutine at a time.
type Postgres struct {
	Databases
	server
	port     int
	password string
	owner    *syscall.Credential // the user that runs the server; nil: the present one
	folder   *os.File            // open descriptor through which the owner reaches the server's folder
}

// StartPostgres starts a server on the data in options.Dir, which it makes if there is none, and returns when the server
// answers queries. The data survives Stop and Kill.
func StartPostgres(ctx context.Context, options Options) (*Postgres, error) {
	common, err := open("postgres", options)
	if err != nil {
		return nil, err
	}
	p := &Postgres{server: common, port: options.Port}
	if err := p.prepare(ctx); err != nil {
		p.leave()
		return nil, err
	}
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Start starts the server again after Stop or Kill, on the same port and data.
func (p *Postgres) Start(ctx context.Context) error {
	chosen := p.port != 0
	return p.start(ctx, func(ctx context.Context) (err error) {
		if !chosen { // another port at each try
			if p.port, err = FreePort(); err != nil {
				return err
			}
		}
		p.URL = fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?sslmode=disable", p.password, p.port)
		return p.launch(ctx)
	}, p.answers)
}

// Stop shuts the server down; connected clients lose their connection.
func (p *Postgres) Stop() error {
	if !p.Running() {
		return nil
	}
	// SIGINT is PostgreSQL's fast shutdown. SIGTERM would wait for every client to disconnect.
	if err := p.process.Stop(syscall.SIGINT, 30*time.Second); err != nil {
		return fmt.Errorf("stop postgres: %w", err)
	}
	p.leave()
	p.tell("stopped")
	return nil
}

// prepare makes the database cluster if there is none.
func (p *Postgres) prepare(ctx context.Context) error {
	if err := p.chooseOwner(); err != nil {
		return err
	}
	password, err := p.secret("password")
	if err != nil {
		return err
	}
	p.password = password
	if _, err := os.Stat(p.file("data")); err == nil {
		return p.removeStalePid()
	}

	// It is made under another name first, so that the rest of an interrupted attempt is not used as a cluster.
	if err := os.RemoveAll(p.file("data.new")); err != nil {
		return fmt.Errorf("remove an unfinished cluster: %w", err)
	}
	if err := p.own("password"); err != nil {
		return err
	}
	initdb, err := p.command(ctx, "initdb", "--pgdata", p.path("data.new"), "--pwfile", p.path("password"),
		"--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return err
	}
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	if err := os.Rename(p.file("data.new"), p.file("data")); err != nil {
		return fmt.Errorf("keep the new cluster: %w", err)
	}
	return nil
}

func (p *Postgres) launch(ctx context.Context) error {
	settings := []string{
		"-D", p.path("data"),
		"-c", "listen_addresses=127.0.0.1", "-c", "port=" + strconv.Itoa(p.port),
		"-c", "unix_socket_directories=", "-c", "max_connections=300",
	}
	for name, value := range p.options.Settings {
		settings = append(settings, "-c", name+"="+value)
	}
	command, err := p.command(context.WithoutCancel(ctx), "postgres", settings...)
	if err != nil {
		return err
	}
	log, err := process.OpenLog(p.LogFile())
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the child has its own copy
	command.Stdout, command.Stderr = log, log
	// SIGQUIT is the immediate shutdown: the postmaster ends its backends too, even busy ones.
	p.process, err = process.Start(command, syscall.SIGQUIT)
	return err
}

// answers does more than connect: it uses the password of this server, so that another server on the same port is not taken
// for it.
func (p *Postgres) answers(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.URL)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// chooseOwner finds a user to run the server, because PostgreSQL refuses to run as root.
func (p *Postgres) chooseOwner() error {
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return fmt.Errorf("find a user that is not root to run postgres: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return fmt.Errorf("user id of %s: %w", account.Username, err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return fmt.Errorf("group id of %s: %w", account.Username, err)
	}
	p.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := p.own("."); err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		return nil
	}
	// The other user may have no permission to enter the path of the folder, for example below /root. An open descriptor of the
	// folder, inherited by the child, works without that.
	if p.folder, err = os.Open(p.options.Dir); err != nil {
		return fmt.Errorf("open the folder of postgres: %w", err)
	}
	return nil
}

func (p *Postgres) own(name string) error {
	if p.owner == nil {
		return nil
	}
	if err := os.Chown(p.file(name), int(p.owner.Uid), int(p.owner.Gid)); err != nil {
		return fmt.Errorf("give the folder of postgres to its user: %w", err)
	}
	return nil
}

// command builds a call of one of PostgreSQL's programs.
func (p *Postgres) command(ctx context.Context, program string, args ...string) (*exec.Cmd, error) {
	version, _ := os.ReadFile(p.file("data/PG_VERSION")) // a missing file means that any version will do
	folder, err := FindPostgres(strings.TrimSpace(string(version)))
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, filepath.Join(folder, program), args...)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"} // none of the caller's PG… variables
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner}
	if p.folder != nil {
		command.ExtraFiles = []*os.File{p.folder}
	}
	return command, nil
}

// path is how PostgreSQL's programs reach a file in the server's folder.
func (p *Postgres) path(name string) string {
	if p.folder != nil {
		return filepath.Join("/proc/self/fd/3", name) // the first of ExtraFiles
	}
	return p.file(name)
}

// removeStalePid removes the pid file of a server that was killed, if another program has its process id now: PostgreSQL
// would take that program for a running server and refuse to start. The caller holds the lock.
func (p *Postgres) removeStalePid() error {
	text, err := os.ReadFile(p.file("data/postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read postgres' pid file: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return fmt.Errorf("read postgres' pid file: %w", err)
	}
	if strings.Contains(process.Name(pid), "postgres") {
		return nil // PostgreSQL decides itself
	}
	if err := os.Remove(p.file("data/postmaster.pid")); err != nil {
		return fmt.Errorf("remove postgres' stale pid file: %w", err)
	}
	return nil
}
