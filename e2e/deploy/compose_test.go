package deploy

import (
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// compose is the part of docker-compose.yml that the tests need.
type compose struct {
	Services map[string]struct {
		Image       string
		Profiles    []string
		MemLimit    string `json:"mem_limit"`
		Ports       []string
		Volumes     []string
		ReadOnly    bool `json:"read_only"`
		Configs     []any
		Environment map[string]any
		Healthcheck map[string]any
		Stop        string `json:"stop_grace_period"`
	}
	Configs map[string]struct{ Content string }
}

var substitution = regexp.MustCompile(`\$\{[A-Z_]+:[-+]([^}]*)\}`) // a value that a profile sets counts as set

// composed reads the containers of our programs, with the default values of settings.
func composed(t testing.TB) (compose, []container) {
	t.Helper()
	var c compose
	text := substitution.ReplaceAll(read(t, "docker-compose.yml"), []byte("$1"))
	var names map[string]any
	if err := yamlv3.Unmarshal(text, &names); err != nil { // it refuses a name that stands there twice, as Compose does
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	base, _ := image(t)
	var containers []container
	for name, s := range c.Services {
		program, ok := programOf(s.Image)
		if !ok {
			continue
		}
		if program != name {
			t.Errorf("docker-compose.yml: %s runs %s", name, s.Image)
		}
		env := maps.Clone(base)
		for k, v := range s.Environment {
			env[k] = fmt.Sprint(v)
		}
		containers = append(containers, container{where: "docker-compose.yml", program: program, env: env, memory: bytes(t, s.MemLimit)})
	}
	return c, containers
}

// programOf reads the program out of an image's name.
func programOf(image string) (program string, ok bool) {
	name, _, _ := strings.Cut(image, ":")
	_, program, ok = strings.Cut("/"+name, "/orderflow/")
	return program, ok
}

func TestTheCommandForNewPasswordsNamesAllOfThem(t *testing.T) {
	t.Parallel()
	_, command, _ := strings.Cut(string(read(t, ".env.example")), "#   ")
	command, _, _ = strings.Cut(command, " >> .env")
	sh := exec.CommandContext(t.Context(), "sh", "-e", "-c", strings.Replace(command, "$(openssl rand -hex 24)", "new", 1))
	sh.Dir = repo
	out, err := sh.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for name := range settings(t, "provision") {
		if strings.HasSuffix(name, "_PASSWORD") {
			want = append(want, name+"=new")
		}
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	slices.Sort(want)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the command makes %v\nwant %v", got, want)
	}
}

func TestCompose(t *testing.T) {
	t.Parallel()
	file, containers := composed(t)
	_, exposed := image(t)
	by := map[string]container{}
	for _, c := range containers {
		by[c.program] = c
		if c.program == "provision" {
			delete(c.env, "HTTP_ADDR") // of the image: it serves no HTTP
		}
		check(t, c)
		checkMemory(t, c)
		if c.program != "provision" {
			if !slices.Contains(c.listens(t), exposed) {
				t.Errorf("docker-compose.yml: %s listens on %v, and its image says %d", c.program, c.listens(t), exposed)
			}
			if file.Services[c.program].Healthcheck != nil {
				t.Errorf("docker-compose.yml: %s has another health check than its image", c.program)
			}
		}
		if stop := file.Services[c.program].Stop; stop != "30s" { // longer than service.StopWithin
			t.Errorf("docker-compose.yml: %s has %s to stop", c.program, stop)
		}
		for _, published := range file.Services[c.program].Ports {
			_, target, _ := strings.Cut(published, ":")
			if port, err := strconv.Atoi(target); err != nil || !slices.Contains(c.listens(t), port) {
				t.Errorf("docker-compose.yml: %s publishes %s and listens on %v", c.program, published, c.listens(t))
			}
		}
	}
	for program := range programs {
		if by[program].program == "" {
			t.Errorf("docker-compose.yml: %s is not there", program)
		}
	}
	for _, c := range containers {
		for name, addresses := range c.addresses() {
			for _, to := range addresses {
				port, err := strconv.Atoi(to.Port())
				_, there := file.Services[to.Hostname()]
				if upstream, ours := by[to.Hostname()]; err != nil || !there || ours && !slices.Contains(upstream.listens(t), port) {
					t.Errorf("docker-compose.yml: %s: nobody listens at %s in %s", c.program, to.Host, name)
				}
			}
		}
	}
}
