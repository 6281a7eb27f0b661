package operator

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// manual is behind the link to the tree: see stories.Look.
const manual = "../testdata/repo/docs/runbook.md"

// replayAll runs the loop of the manual as it is printed there until no dead letter is left, and kills parts that it needs.
func (o office) replayAll(queue string) {
	o.Helper()
	for _, tool := range []string{"sh", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil { // .ci/run installs them
			o.Logf("the loop of the manual is not tried, as there is no %s: the letters are replayed without it", tool)
			o.replayWithoutLoop()
			return
		}
	}
	script := strings.ReplaceAll(o.printed(), "http://localhost:${GATEWAY_PORT:-8080}", o.GatewayURL)
	if !strings.Contains(script, queue) {
		o.Fatalf("the loop of the manual is not about %s", queue)
	}
	for round := range 5 {
		letters, err := o.list()
		if err == nil && len(letters) == 0 {
			return
		}
		o.Logf("%d dead letters, %v", len(letters), err)
		loop := exec.CommandContext(o.Context(), "sh", "-eu", "-c", script)
		loop.Stdout, loop.Stderr = o.Output(), o.Output()
		if err := loop.Start(); err != nil {
			o.Fatal(err)
		}
		if round == 0 {
			time.Sleep(300 * time.Millisecond) // so that the kill comes in the middle
			o.again("gateway", owner(queue))
		}
		if err := loop.Wait(); err != nil {
			o.Errorf("the loop: %v", err)
		}
	}
	o.Error("the loop of the manual leaves dead letters")
}

func (o office) replayWithoutLoop() {
	o.Helper()
	letters, err := o.list()
	if err != nil {
		o.Fatal(err)
	}
	for _, l := range letters {
		o.insist(&operation{letter: l, action: "replay", before: map[string]int{}})
	}
}

var block = regexp.MustCompile("(?s)```sh\n(.*?)```")

// printed is the part of the manual's section about dead letters that sets variables and the part that loops.
func (o office) printed() string {
	o.Helper()
	text, err := os.ReadFile(manual)
	if err != nil {
		o.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Dead letters\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := block.FindAllStringSubmatch(section, -1)
	if len(blocks) != 3 {
		o.Fatalf("the section about dead letters has %d pieces of shell, want 3: names, single letters, a loop", len(blocks))
	}
	return blocks[0][1] + blocks[2][1]
}
