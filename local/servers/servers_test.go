package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/process"
)

// TestMain acts as the owner of two servers when a test starts this binary again in order to kill it.
func TestMain(m *testing.M) {
	dir := os.Getenv("SERVERS_TEST_OWNER")
	if dir == "" {
		os.Exit(m.Run())
	}
	ctx := context.Background()
	p, err := StartPostgres(ctx, Options{Dir: dir + "/postgres"})
	if err != nil {
		panic(err)
	}
	r, err := StartRabbitMQ(ctx, Options{Dir: dir + "/rabbitmq"})
	if err != nil {
		panic(err)
	}
	conn, err := pgx.Connect(ctx, p.URL)
	if err != nil {
		panic(err)
	}
	go func() { _, _ = conn.Exec(ctx, `SELECT pg_sleep(1000)`) }() // a backend that is busy
	fmt.Println(p.process.Pid(), r.process.Pid(), r.epmd.Pid())
	select {}
}

func TestServersDieWithAnOwnerThatIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = append(os.Environ(), "SERVERS_TEST_OWNER="+dir)
	owner.Stderr = os.Stderr
	output, err := owner.StdoutPipe()
	must(t, err)
	must(t, owner.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	must(t, err)
	var family []int
	for field := range strings.FieldsSeq(line) {
		var pid int
		_, err := fmt.Sscan(field, &pid)
		must(t, err)
		family = append(family, process.Family(pid)...)
	}
	if len(family) < 8 { // postmaster and its workers, the Erlang machine and its helpers, epmd
		t.Errorf("the servers have only the processes %v", family)
	}

	must(t, owner.Process.Kill())
	_ = owner.Wait() // "signal: killed"
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var left []string
		for _, pid := range family {
			if process.Alive(pid) {
				left = append(left, fmt.Sprintf("%d %s", pid, process.Name(pid)))
			}
		}
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there: %v", left)
		}
	}

	// The next owner can start on the same data.
	startPostgres(t, dir+"/postgres")
}

func TestAMissingServerNamesTheCommandThatInstallsIt(t *testing.T) {
	t.Parallel()
	err := error(Missing{Program: "RabbitMQ", Package: "rabbitmq-server"})
	if !strings.Contains(err.Error(), "install") || !strings.Contains(err.Error(), "rabbitmq") {
		t.Errorf("the message is %q", err)
	}

	s, err := open("rabbitmq", Options{Dir: t.TempDir()})
	must(t, err)
	tries := 0
	err = s.start(t.Context(), func(context.Context) error { tries++; return Missing{Program: "RabbitMQ"} }, nil)
	if _, missing := errors.AsType[Missing](err); !missing || tries != 1 {
		t.Errorf("start returned %v after %d tries, want Missing after one", err, tries)
	}
}

func TestAStartEndsWithItsContextAndReportsTheLog(t *testing.T) {
	t.Parallel()
	s, err := open("postgres", Options{Dir: t.TempDir()})
	must(t, err)
	must(t, os.WriteFile(s.LogFile(), []byte("FATAL: the disk is on fire\n"), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = s.start(ctx, func(ctx context.Context) error {
		s.process, err = process.Start(exec.Command("sleep", "1000"), 9)
		return err
	}, func(context.Context) error { return errors.New("connection refused") })
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "disk is on fire") {
		t.Errorf("start returned %v", err)
	}
	if s.Running() {
		t.Error("the process still runs")
	}
}

func TestAReleasedPortIsFreeAtOnceWhileOtherChildrenStart(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for ctx.Err() == nil {
				_ = exec.Command("true").Run()
			}
		})
	}
	defer others.Wait()
	defer stop()
	for range 300 {
		held, err := Reserve(t.Context())
		must(t, err)
		must(t, Release(held))
		taken, err := net.Listen("tcp4", held.Addr().String())
		must(t, err)
		must(t, taken.Close())
	}
}

func TestFreePortsStayBelowThoseOfOutgoingConnectionsAndAreFoundOnce(t *testing.T) {
	t.Parallel()
	before := map[int]bool{}
	for range 1000 { // with random draws from 20000 ports, some two dozen would repeat
		port, err := FreePort()
		must(t, err)
		if port < 12000 || port >= 32768 {
			t.Errorf("port %d", port)
		}
		if before[port] {
			t.Errorf("port %d again, whose first owner may not have come yet", port)
		}
		before[port] = true
	}
}
