// Package containers tests docker-compose.yml on a real container engine: which containers it starts, and that the stories
// pass, even if any of its containers is killed.
package containers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
)

// stack is a compose project of the test, with ports and secrets of its own.
type stack struct {
	*testing.T
	stories.World
	repo    string
	version string            // of the images; like the project's name, it belongs to this checkout
	secrets map[string]string // by the names in docker-compose.yml
	env     []string
	said    string // the messages of `up`
}

// up starts the system and removes it at the end, even if the test is interrupted.
func up(t *testing.T) *stack {
	t.Helper()
	if os.Getenv("TEST_COMPOSE") == "" {
		t.Skip("this needs a container engine and minutes: make test-compose")
	}
	repo, err := system.FindRepo(".")
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{T: t, repo: repo, version: fmt.Sprintf("test-%08x", crc32.ChecksumIEEE([]byte(repo))), secrets: secrets(t, repo)}
	ports := freePorts(t, 3)
	s.World = stories.World{Gateway: "http://127.0.0.1:" + ports[0], Simulator: "http://127.0.0.1:" + ports[2]}
	s.env = append(os.Environ(), "GATEWAY_PORT="+ports[0], "RABBITMQ_MANAGEMENT_PORT="+ports[1], "SIMULATOR_PORT="+ports[2],
		"ORDERFLOW_VERSION="+s.version, "CARRIER_PACE=400ms", "SUPPLIER_LEAD_TIME=1s")
	for name, secret := range s.secrets {
		s.env = append(s.env, name+"="+secret)
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	interrupted := context.AfterFunc(ctx, func() { s.remove(); os.Exit(1) })
	t.Cleanup(func() {
		if t.Failed() {
			s.showLogs()
		}
		s.remove()
		interrupted()
		stop()
	})
	s.remove() // the rest of a run that was killed
	_, s.said = s.docker(s.args("up", "--build", "--wait", "--quiet-pull")...)
	return s
}

func (s *stack) remove() {
	s.Helper()
	if out, err := s.command(context.Background(), s.args("down", "--volumes", "--remove-orphans")...).CombinedOutput(); err != nil {
		s.Errorf("remove the containers: %v\n%s", err, out)
	}
}

// secrets makes a new value for every password and key in docker-compose.yml, so that a program with a wrong one fails.
func secrets(t *testing.T, repo string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(repo + "/docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]string{}
	for _, m := range regexp.MustCompile(`\$\{(\w+_(PASSWORD|KEY)):-`).FindAllStringSubmatch(string(text), -1) {
		made[m[1]] = rand.Text()
		if m[2] == "KEY" {
			made[m[1]] = base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text())[:32])
		}
	}
	return made
}

func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		held, err := servers.Reserve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer servers.Release(held) //nolint:errcheck // docker reports a port that is still taken
		_, port, _ := net.SplitHostPort(held.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

func (s *stack) project() string { return "orderflow-" + s.version }

// args are the arguments of a compose command for this project. They exclude the user's own .env.
func (s *stack) args(args ...string) []string {
	return append([]string{
		"compose", "--project-name", s.project(), "--env-file", s.repo + "/.env.example",
		"--file", s.repo + "/docker-compose.yml", "--file", s.repo + "/e2e/containers/docker-compose.test.yml",
	}, args...)
}

func (s *stack) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = s.env
	return cmd
}

// docker runs a docker command, which must succeed, and returns its stdout and stderr.
func (s *stack) docker(args ...string) (out, said string) {
	s.Helper()
	cmd := s.command(s.Context(), args...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		s.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), stderr.String()
}

// compose runs a compose command, which must succeed, and returns its stdout.
func (s *stack) compose(args ...string) string {
	s.Helper()
	out, _ := s.docker(s.args(args...)...)
	return out
}

// image formats docker's information about a container's image with a template.
func (s *stack) image(c container, format string) string {
	s.Helper()
	out, _ := s.docker("image", "inspect", "--format", format, c.Image)
	return strings.TrimSpace(out)
}

// container is docker's information about a container.
type container struct {
	ID, Name, Image string
	RestartCount    int
	State           struct {
		Running, OOMKilled bool
		Health             *struct{ Status string }
	}
	Config struct {
		User   string
		Labels map[string]string
	}
	HostConfig struct {
		ReadonlyRootfs       bool
		CapDrop, SecurityOpt []string
		Memory               int64
		RestartPolicy        struct{ Name string }
	}
	NetworkSettings struct {
		Ports map[string][]struct{ HostIP, HostPort string }
	}
}

func (c container) service() string { return c.Config.Labels["com.docker.compose.service"] }

// ours reports whether the container runs a program of Orderflow.
func (c container) ours() bool { return c.service() != "postgres" && c.service() != "rabbitmq" }

// containers lists the containers of the given services, or all of them.
func (s *stack) containers(services ...string) (all []container) {
	s.Helper()
	ids := strings.Fields(s.compose(append([]string{"ps", "--all", "--quiet"}, services...)...))
	out, _ := s.docker(append([]string{"inspect"}, ids...)...)
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		s.Fatal(err)
	}
	return all
}

// healthy waits until the only container of a service is healthy.
func (s *stack) healthy(service string) {
	s.Helper()
	stories.Until(s, service+" is healthy", func() bool {
		c := s.containers(service)[0]
		return c.State.Running && c.State.Health.Status == "healthy"
	})
}

// memory is the memory that all containers use now, in bytes.
func (s *stack) memory(ctx context.Context) (sum float64, each string) {
	out, err := s.command(ctx, s.args("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}")...).Output()
	if err != nil {
		return 0, "" // a container is just being killed
	}
	for line := range strings.Lines(string(out)) {
		var name, unit string
		var used float64
		if _, err := fmt.Sscanf(strings.NewReplacer("MiB", " MiB", "KiB", " KiB", "GiB", " GiB").Replace(line), "%s %f %s", &name, &used, &unit); err == nil {
			used *= map[string]float64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[unit]
			sum += used
			each += fmt.Sprintf(" %s %.0f", strings.TrimPrefix(name, s.project()+"-"), used/(1<<20))
		}
	}
	return sum, each
}

// watchMemory measures repeatedly until stop is called, which returns the largest value.
func (s *stack) watchMemory() (stop func() (most float64, each string)) {
	ctx, cancel := context.WithCancel(context.Background())
	type seen struct {
		sum  float64
		each string
	}
	result := make(chan seen)
	go func() {
		var most seen
		for ; ctx.Err() == nil; time.Sleep(time.Second) {
			if sum, each := s.memory(ctx); sum > most.sum {
				most = seen{sum, each}
			}
		}
		result <- most
	}()
	return func() (float64, string) { cancel(); most := <-result; return most.sum, most.each }
}

// showLogs prints the problems in the logs.
func (s *stack) showLogs() {
	out, _ := s.command(context.Background(), s.args("logs", "--no-color", "--tail", "2000")...).CombinedOutput()
	var bad []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, `"level":"WARN"`) || strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, "provision") {
			bad = append(bad, line)
		}
	}
	s.Logf("the last complaints:\n%s", strings.Join(bad[max(0, len(bad)-60):], ""))
}
