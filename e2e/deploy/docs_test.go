package deploy

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unportable are commands that a macOS shell lacks or has in another form, and addresses that ignore a setting.
var unportable = map[string]*regexp.Regexp{
	"date with %N, -d or -I":             regexp.MustCompile(`\bdate\b[^)|;]*(%[0-9]*N| -d| -I| --)`),
	"/proc and /sys":                     regexp.MustCompile(`(^|[\s"'=(])/(proc|sys)/`),
	"sed -i, -r or -z":                   regexp.MustCompile(`\bsed\b[^|;]*\s-[a-zA-Z]*[irz]`),
	"grep -P":                            regexp.MustCompile(`\bgrep\b[^|;]*\s-[a-zA-Z]*P`),
	"xargs -r or -d":                     regexp.MustCompile(`\bxargs\b[^|;]*\s-[a-zA-Z]*[rd]`),
	"stat -c, readlink -f, base64 -w":    regexp.MustCompile(`\bstat -c|\breadlink -f|\bbase64 -w`),
	"head or tail with a negative count": regexp.MustCompile(`\bhead -n ?-`),
	"a tool of Linux":                    regexp.MustCompile(`(^|[|;(]|\$\()\s*(ss|ip|nproc|free|tac|shuf|setsid|timeout|systemctl|journalctl|uuidgen|numfmt)\s`),
	"ORDERFLOW_DIR":                      regexp.MustCompile(`(^|[\s"'=(/])\.local/`),
	"GATEWAY_PORT":                       regexp.MustCompile(`=http://(localhost|127\.0\.0\.1):8080\b`),
}

var shell = regexp.MustCompile("(?s)```sh\n(.*?)```")

func TestCommandsOfTheDocumentsWorkOnMacOSAndWithOtherSettings(t *testing.T) {
	t.Parallel()
	pages := []string{"README.md", "CONTRIBUTING.md", "simulator/README.md"}
	more, err := filepath.Glob(filepath.Join(repo, "docs", "*.md"))
	if err != nil || len(more) == 0 {
		t.Fatalf("%d pages, %v", len(more), err)
	}
	for _, page := range more {
		pages = append(pages, strings.TrimPrefix(page, repo+"/"))
	}
	lines := 0
	for _, page := range pages {
		for _, block := range shell.FindAllStringSubmatch(string(read(t, page)), -1) {
			for line := range strings.Lines(block[1]) {
				lines++
				line, _, _ = strings.Cut(line, "  # ")
				if what := complain(line); what != "" {
					t.Errorf("%s: %s: %s", page, what, strings.TrimSpace(line))
				}
			}
		}
	}
	if lines < 100 {
		t.Errorf("there are only %d lines of shell", lines)
	}
}

func complain(line string) string {
	for what, pattern := range unportable {
		if pattern.MatchString(line) {
			return what
		}
	}
	return ""
}

func TestUnportableCommandsAreNoticed(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		`-H "Idempotency-Key: $(date +%s%N)"`:                                          true,
		`uuid() { cat /proc/sys/kernel/random/uuid; }`:                                 true,
		`sed -i 's/a/b/' file`:                                                         true,
		`grep -oP 'x\K.' file`:                                                         true,
		`psql "$(cat .local/postgres/password)"`:                                       true,
		`api=http://localhost:8080`:                                                    true,
		`api=http://localhost:${GATEWAY_PORT:-8080}`:                                   false,
		`for i in $(seq 8); do date +%s; done`:                                         false,
		`sed -n 's/^a = //p' "$dir/rabbitmq/rabbitmq.conf" | sed "s#/postgres?#/$1?#"`: false,
		`curl -s $api/api/orders | head -1 | grep -i -e HTTP`:                          false,
	} {
		if got := complain(line); (got != "") != want {
			t.Errorf("%s: %q", line, got)
		}
	}
}
