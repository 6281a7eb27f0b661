package process

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain acts as a parent when a test starts this binary again in order to kill it.
func TestMain(m *testing.M) {
	if os.Getenv("PROCESS_TEST_PARENT") == "" {
		os.Exit(m.Run())
	}
	child, err := Start(exec.Command("sleep", "1000"), syscall.SIGKILL)
	if err != nil {
		panic(err)
	}
	fmt.Println(child.Pid())
	select {}
}

func TestAChildDiesWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "PROCESS_TEST_PARENT=1")
	output, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(line, &child); err != nil {
		t.Fatal(err)
	}
	if !Alive(child) {
		t.Fatal("the child does not run before its parent is killed")
	}

	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // "signal: killed"
	eventually(t, "the child to end", func() bool { return !Alive(child) })
}

func TestKillTakesGrandchildrenInOtherSessions(t *testing.T) {
	child, family := startFamily(t)
	child.Kill()
	for _, pid := range family {
		if Alive(pid) {
			t.Errorf("process %d of the family is still there", pid)
		}
	}
	if child.Running() {
		t.Error("the killed child counts as running")
	}
}

func TestSuspendFreezesGrandchildrenToo(t *testing.T) {
	child, family := startFamily(t)
	child.Suspend()
	eventually(t, "all to be frozen", func() bool { return allInState(t, family, "T") })
	child.Resume()
	eventually(t, "all to go on", func() bool { return allInState(t, family, "S") })
	child.Kill()
}

func TestStopWaitsForTheChildAndReportsItsExitCode(t *testing.T) {
	for _, test := range []struct {
		name, script string
		timeout      time.Duration
		want         string // part of the error; empty: none expected
	}{
		{"a child that ends well", `trap 'exit 0' TERM; echo ready >&3; while :; do sleep 0.05; done`, time.Minute, ""},
		{"a child that ends badly", `trap 'exit 7' TERM; echo ready >&3; while :; do sleep 0.05; done`, time.Minute, "exit status 7"},
		{"a child that does not end", `trap '' TERM; echo ready >&3; while :; do sleep 0.05; done`, 100 * time.Millisecond, "did not stop within"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			child, _ := startScript(t, test.script, 1)
			err := child.Stop(syscall.SIGTERM, test.timeout)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Stop returned %v, want %q", err, test.want)
			}
			if child.Running() {
				t.Error("the child still runs")
			}
			if err := child.Stop(syscall.SIGTERM, test.timeout); test.want == "" && err != nil {
				t.Errorf("stopping it once more returned %v", err)
			}
		})
	}
}

func TestAProgramThatDoesNotExistIsAnError(t *testing.T) {
	if _, err := Start(exec.Command("/nonexistent/program"), syscall.SIGKILL); err == nil {
		t.Error("starting it returned no error")
	}
}

// startFamily starts a shell with a child in its process group and one in a session of its own.
func startFamily(t *testing.T) (*Process, []int) {
	t.Helper()
	for _, tool := range []string{"setsid", "ps"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s on this machine to make or to look at a family with", tool)
		}
	}
	child, lines := startScript(t, `sleep 1000 & echo $! >&3; setsid sh -c 'echo $$ >&3; exec sleep 1000' & wait`, 2)
	family := []int{child.Pid()}
	for _, line := range lines {
		var pid int
		if _, err := fmt.Sscan(line, &pid); err != nil {
			t.Fatal(err)
		}
		family = append(family, pid)
	}
	eventually(t, "the family to sleep", func() bool { return allInState(t, family, "S") })
	return child, family
}

// startScript runs a shell script and returns the first lines that it writes to descriptor 3.
func startScript(t *testing.T, script string, lines int) (*Process, []string) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	command := exec.Command("sh", "-c", script)
	command.ExtraFiles = []*os.File{write}
	child, err := Start(command, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(child.Kill)
	write.Close()
	reader := bufio.NewReader(read)
	var written []string
	for range lines {
		line, err := reader.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		written = append(written, line)
	}
	return child, written
}

func allInState(t *testing.T, pids []int, want string) bool {
	t.Helper()
	for _, pid := range pids {
		output, err := exec.Command("ps", "-o", "state=", "-p", fmt.Sprint(pid)).Output()
		if err != nil {
			t.Fatalf("ps: %v", err)
		}
		if !strings.HasPrefix(strings.TrimSpace(string(output)), want) {
			return false
		}
	}
	return true
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
