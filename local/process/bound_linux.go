package process

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// startBound starts cmd so that the kernel sends it the signal orphaned when its parent's thread ends. The kernel drops this
// request when a process changes its user id, so the order matters: Go makes it after setting the credentials.
func startBound(cmd *exec.Cmd, orphaned syscall.Signal) (release func(), err error) {
	cmd.SysProcAttr.Pdeathsig = orphaned
	return func() {}, cmd.Start()
}

// Name is the command name of a running process, empty when there is none with this id.
func Name(pid int) string {
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}

func childrenByParent() map[int][]int {
	children := make(map[int][]int)
	entries, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is valid, so there is no error
	for _, entry := range entries {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(entry)))
		if err != nil {
			continue
		}
		if _, parent, ok := stat(pid); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	return children
}

// Alive reports whether there is a process with this id. It is false for a zombie, which stays in a container without an init.
func Alive(pid int) bool {
	state, _, ok := stat(pid)
	return ok && state != "Z" && state != "X"
}

func stat(pid int) (state string, parent int, ok bool) {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", 0, false
	}
	// "12 (a name with ) and spaces) S 11 …": the fields after the last parenthesis have a fixed form.
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	if len(fields) < 2 {
		return "", 0, false
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return string(fields[0]), parent, err == nil
}
