package deploy

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var pinned = regexp.MustCompile(`^[a-z/-]+:v?\d+\.\d+\.\d+$`)

// The containers of the profile are bounded, cannot be reached from other machines, and are the same on Kubernetes.
func TestTheContainersOfTheProfileObservability(t *testing.T) {
	t.Parallel()
	file, _ := composed(t)
	kubernetes := map[string]string{} // images
	for _, w := range render(t, "k8s/overlays/kind-observability").workloads {
		kubernetes[w.Metadata.Name] = w.Spec.Template.Spec.Containers[0].Image
	}
	count := 0
	for name, s := range file.Services {
		if len(s.Profiles) == 0 {
			continue
		}
		count++
		readOnly := s.ReadOnly || len(s.Configs) > 0 // Compose writes these into the container
		if !slices.Equal(s.Profiles, []string{"observability"}) || !pinned.MatchString(s.Image) || !readOnly || bytes(t, s.MemLimit) > 512<<20 {
			t.Errorf("%s: %v, %s, read only: %t, memory: %s", name, s.Profiles, s.Image, readOnly, s.MemLimit)
		}
		if kubernetes[name] != s.Image {
			t.Errorf("%s is %s here and %q on Kubernetes", name, s.Image, kubernetes[name])
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s to all machines", name, port)
			}
		}
		for _, volume := range s.Volumes {
			from, to, _ := strings.Cut(volume, ":")
			if !strings.HasPrefix(from, "./") {
				continue
			}
			if _, err := os.Stat(filepath.Join(repo, from)); err != nil || !strings.HasSuffix(to, ":ro") {
				t.Errorf("%s mounts %s: %v", name, volume, err)
			}
		}
	}
	if count < 5 {
		t.Errorf("the profile has only %d containers", count)
	}
}

// scraping is the part of Prometheus's configuration that says where the targets are.
type scraping struct {
	Jobs []struct {
		Name string `json:"job_name"`
		DNS  []struct {
			Names    []string
			Type     string
			Port     int
			Interval string `json:"refresh_interval"`
		} `json:"dns_sd_configs"`
		Static  []struct{ Targets []string } `json:"static_configs"`
		Relabel []any                        `json:"relabel_configs"`
	} `json:"scrape_configs"`
}

// What the files of the folder refer to is there, with Compose and on Kubernetes.
func TestTheFilesOfObservabilityReferToWhatIsThere(t *testing.T) {
	t.Parallel()
	file, containers := composed(t)
	cluster := render(t, "k8s/overlays/kind-observability")
	ports := map[string][]int{}
	for _, c := range containers {
		ports[c.program] = c.listens(t)
	}
	ports["gateway-admin"] = ports["gateway"] // an alias
	check := func(where, host string, port int) {
		t.Helper()
		if host == "localhost" {
			return
		}
		if _, there := file.Services[strings.TrimSuffix(host, "-admin")]; !there || ports[host] != nil && !slices.Contains(ports[host], port) {
			t.Errorf("%s: with Compose nobody listens at %s:%d", where, host, port)
		}
		if s, there := cluster.services[host]; !there || s.ports[port] == 0 {
			t.Errorf("%s: on Kubernetes nobody listens at %s:%d", where, host, port)
		}
	}
	address := func(where, hostPort string) {
		t.Helper()
		host, number, _ := strings.Cut(hostPort, ":")
		port, err := strconv.Atoi(number)
		if err != nil {
			t.Errorf("%s: %q is no address", where, hostPort)
			return
		}
		check(where, host, port)
	}

	var main, found scraping
	into(t, "observability/prometheus.yml", &main)
	if err := yaml.UnmarshalStrict([]byte(file.Configs["programs"].Content), &found); err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, job := range slices.Concat(main.Jobs, found.Jobs) {
		for _, d := range job.DNS {
			for _, name := range d.Names {
				asked[strings.TrimSuffix(name, "-admin")] = true
				check("docker-compose.yml, programs", name, d.Port)
			}
		}
		for _, s := range job.Static {
			for _, target := range s.Targets {
				address("prometheus.yml", target)
			}
		}
	}
	for program := range programs {
		if program != "provision" && !asked[program] {
			t.Errorf("docker-compose.yml: Prometheus does not ask %s", program)
		}
	}

	var sources struct{ Datasources []struct{ URL string } }
	into(t, "observability/grafana/datasources.yml", &sources)
	for _, source := range sources.Datasources {
		u, err := url.Parse(source.URL)
		if err != nil {
			t.Fatal(err)
		}
		address("datasources.yml", u.Host)
	}

	for _, name := range []string{"observability/otel-collector.yml", "observability/jaeger.yml"} {
		var c struct {
			Receivers, Processors, Exporters, Extensions map[string]any
			Service                                      struct {
				Extensions []string
				Pipelines  map[string]struct{ Receivers, Processors, Exporters []string }
			}
		}
		into(t, name, &c)
		used := map[string]bool{}
		need := func(names []string, of map[string]any) {
			for _, n := range names {
				used[n] = true
				if _, there := of[n]; !there {
					t.Errorf("%s has no %s", name, n)
				}
			}
		}
		need(c.Service.Extensions, c.Extensions)
		for _, p := range c.Service.Pipelines {
			need(p.Receivers, c.Receivers)
			need(p.Processors, c.Processors)
			need(p.Exporters, c.Exporters)
		}
		if len(c.Service.Pipelines) == 0 {
			t.Errorf("%s has no pipeline", name)
		}
		for _, all := range []map[string]any{c.Receivers, c.Processors, c.Exporters, c.Extensions} {
			for n := range all {
				if !used[n] {
					t.Errorf("%s: nothing uses %s", name, n)
				}
			}
		}
		for _, e := range c.Exporters {
			if exporter, ok := e.(map[string]any); ok && exporter["endpoint"] != nil {
				address(name, exporter["endpoint"].(string)) //nolint:forcetypeassert // an address is a text
			}
		}
	}
}

func into(t *testing.T, name string, v any) {
	t.Helper()
	if err := yaml.Unmarshal(read(t, name), v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
