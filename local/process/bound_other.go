//go:build !linux

package process

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// startBound starts cmd with a watcher beside it. The watcher reads from a pipe that only its parent holds open:
// the read ends when the parent does, and the watcher sends the signal.
func startBound(cmd *exec.Cmd, orphaned syscall.Signal) (release func(), err error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	watcher := exec.Command("/bin/sh", "-c", `read -r _; kill -"$1" "$2"`, "watcher",
		strconv.Itoa(int(orphaned)), strconv.Itoa(cmd.Process.Pid))
	watcher.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	held, err := watcher.StdinPipe()
	if err == nil {
		err = watcher.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watch over %s: %w", cmd.Path, err), cmd.Process.Kill(), cmd.Wait())
	}
	return func() {
		_ = watcher.Process.Kill() // first: a closed pipe would make it send its signal
		_ = held.Close()
		_ = watcher.Wait()
	}, nil
}

// Name is the command name of a running process, empty when there is none with this id.
func Name(pid int) string {
	name, err := exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}

func childrenByParent() map[int][]int {
	children := make(map[int][]int)
	table, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return children
	}
	lines := bufio.NewScanner(bytes.NewReader(table))
	for lines.Scan() {
		var pid, parent int
		if _, err := fmt.Sscan(lines.Text(), &pid, &parent); err == nil && pid != os.Getpid() {
			children[parent] = append(children[parent], pid)
		}
	}
	return children
}

func Alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
