package bench

import (
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"example.com/orderflow/local/process"
)

func TestTheTimeOfAProcessIsItsOwnAndThatOfItsEndedChildren(t *testing.T) {
	t.Parallel()
	const line = "12 (a name with ) and spaces) S 11 12 12 0 -1 4194560 100 200 0 0 150 50 25 5 20 0 1 0 100 1000 10"
	if got, want := statIn(line), (stat{11, 2300 * time.Millisecond}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := statIn("12 (short) S"); got != (stat{}) {
		t.Errorf("of a line that is cut off: %v", got)
	}
	all := snapshot{1: {}, 2: {parent: 1}, 3: {parent: 2}, 4: {parent: 1}, 5: {parent: 3}}
	if got := slices.Sorted(slices.Values(all.family(2))); !slices.Equal(got, []int{2, 3, 5}) {
		t.Errorf("the family of 2 is %v", got)
	}
}

func TestWhatAProcessUsesIsSeen(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	busy := exec.Command("sh", "-c", "sh -c 'while :; do :; done' & wait")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	programs := members{"busy": {busy.Process.Pid}}
	t.Cleanup(func() {
		for _, pid := range process.Family(busy.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = busy.Wait()
	})
	before := measure(programs)
	used := 0.0
	for deadline := time.Now().Add(time.Minute); used < 300 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		perOrder, _ := measure(programs).since(before, 1)
		used = perOrder["busy"]
	}
	if used < 300 {
		t.Errorf("a child that is busy has used %.0f ms", used)
	}
	if mb := memory(programs)["busy"]; mb <= 0 || mb > 100 {
		t.Errorf("two shells have %.1f MB", mb)
	}
}
