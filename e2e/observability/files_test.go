// Package observability tests what is in the folder observability with Prometheus's own code as a library: its configuration, its
// alert rules, and the expressions of Grafana's dashboards. It is a module of its own, because Prometheus requires hundreds of others.
package observability

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"example.com/orderflow/e2e/stories"
)

var (
	repo, programs string
	query          = parser.NewParser(parser.Options{})
)

func TestMain(m *testing.M) { stories.Main(m, &repo, &programs) }

func file(name string) string { return filepath.Join(repo, "observability", name) }

// configured reads Prometheus's configuration as Prometheus does, with a platform's file programs.yml beside it.
func configured(t testing.TB, programs []byte) *config.Config {
	t.Helper()
	dir := t.TempDir()
	main, err := os.ReadFile(file("prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"prometheus.yml": main, "programs.yml": programs} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.LoadFile(filepath.Join(dir, "prometheus.yml"), false, promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	if c.ScrapeConfigs, err = c.GetScrapeConfigs(); err != nil {
		t.Fatal(err)
	}
	c.ScrapeConfigFiles = nil // they are read
	return c
}

// composed reads the programs.yml of docker-compose.yml.
func composed(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repo, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Configs map[string]struct{ Content string }
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	return []byte(compose.Configs["programs"].Content)
}

// On Kubernetes each pod of a program is one target, at the port that has its metrics, and no other pod is.
func TestPrometheusFindsThePodsOfAllPrograms(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(repo, "k8s/components/observability/programs.yml"))
	if err != nil {
		t.Fatal(err)
	}
	// Only the relabelling is read as Prometheus does it: its discovery by Kubernetes would be half of what this module compiles.
	var scraping struct {
		Jobs []struct {
			Relabel []*relabel.Config `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(text, &scraping); err != nil || len(scraping.Jobs) != 1 {
		t.Fatalf("%d jobs, %v", len(scraping.Jobs), err)
	}
	for _, rule := range scraping.Jobs[0].Relabel {
		if err := rule.Validate(model.UTF8Validation); err != nil {
			t.Fatal(err)
		}
	}
	var manifests []string
	for _, names := range []string{"k8s/base/*.yaml", "k8s/components/*/*.yaml"} {
		some, err := filepath.Glob(filepath.Join(repo, names))
		if err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests, some...)
	}
	var found []string
	ports := 0
	for _, name := range manifests {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for documents := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var workload struct {
				Spec struct {
					Template struct {
						Metadata struct{ Labels map[string]string }
						Spec     struct {
							Containers []struct {
								Ports []struct {
									Name          string
									ContainerPort int `yaml:"containerPort"`
								}
							}
						}
					}
				}
			}
			err := documents.Decode(&workload)
			if errors.Is(err, io.EOF) {
				break
			} else if other := new(yaml.TypeError); errors.As(err, &other) {
				continue // a list, such as a patch
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			pod := workload.Spec.Template
			for _, container := range pod.Spec.Containers {
				for _, port := range container.Ports {
					ports++
					is := labels.NewBuilder(labels.FromMap(map[string]string{
						"job": "programs", "__meta_kubernetes_pod_phase": "Running", "__meta_kubernetes_pod_container_port_name": port.Name,
						"__meta_kubernetes_pod_label_app_kubernetes_io_name":      pod.Metadata.Labels["app.kubernetes.io/name"],
						"__meta_kubernetes_pod_label_app_kubernetes_io_component": pod.Metadata.Labels["app.kubernetes.io/component"],
					}))
					if relabel.ProcessBuilder(is, scraping.Jobs[0].Relabel...) {
						found = append(found, fmt.Sprintf("%s:%d", is.Get("job"), port.ContainerPort))
					}
				}
			}
		}
	}
	slices.Sort(found)
	want := []string{"bff-web:8080", "gateway:9080", "inventory:8080", "orders:8080", "payments:8080", "shipping:8080", "simulator:8080"}
	if !slices.Equal(found, want) || ports <= len(want) {
		t.Errorf("of %d ports it finds %q, want %q", ports, found, want)
	}
}

// alerts reads the alert rules as Prometheus does.
func alerts(t testing.TB) map[string]rulefmt.Rule {
	t.Helper()
	all, errs := rulefmt.ParseFile(file("rules.yml"), false, model.UTF8Validation, query, promslog.NewNopLogger())
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	found := map[string]rulefmt.Rule{}
	for _, group := range all.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || found[rule.Alert].Alert != "" {
				t.Errorf("%s %s is no alert, or it is there twice", group.Name, rule.Alert)
			}
			found[rule.Alert] = rule
		}
	}
	if len(found) < 15 {
		t.Fatalf("there are only %d alerts", len(found))
	}
	return found
}

// dashboard is the part of a dashboard of Grafana that the tests need.
type dashboard struct {
	UID, Title string
	Templating struct {
		List []struct {
			Name  string
			Query struct{ Query string }
		}
	}
	Panels []struct {
		ID         int
		Title      string
		GridPos    struct{ X, Y, W, H int }
		Datasource struct{ UID string }
		Targets    []struct{ Expr, LegendFormat string }
	}
}

func dashboards(t testing.TB) map[string]dashboard {
	t.Helper()
	names, err := filepath.Glob(file("grafana/dashboards/*.json"))
	if err != nil || len(names) < 5 {
		t.Fatalf("only %d dashboards: %v", len(names), err)
	}
	all := map[string]dashboard{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[filepath.Base(name)] = d
	}
	return all
}

// use is an expression that a dashboard or an alert has, and the labels that its text shows.
type use struct {
	where string
	expr  parser.Expr
	shows []string
}

var (
	valueOf    = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	shown      = regexp.MustCompile(`\{\{ *(?:\$labels\.)?([a-z_]+) *\}\}`)
	ofVariable = strings.NewReplacer(`job="$job"`, `job=~".+"`, "$__rate_interval", "5m")
)

// uses are all expressions, with a value for Grafana's variables.
func uses(t testing.TB) (all []use) {
	t.Helper()
	add := func(where, expr string, texts ...string) {
		parsed, err := query.ParseExpr(ofVariable.Replace(expr))
		if err != nil {
			t.Errorf("%s: %v", where, err)
			return
		}
		u := use{where: where, expr: parsed}
		for _, text := range texts {
			for _, m := range shown.FindAllStringSubmatch(text, -1) {
				u.shows = append(u.shows, m[1])
			}
		}
		all = append(all, u)
	}
	for name, d := range dashboards(t) {
		for _, v := range d.Templating.List {
			m := valueOf.FindStringSubmatch(v.Query.Query)
			if m == nil {
				t.Errorf("%s: %s has an unknown query", name, v.Name)
				continue
			}
			add(name+": "+v.Name, m[1], "{{"+m[2]+"}}")
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				add(name+": "+p.Title, target.Expr, target.LegendFormat)
			}
		}
	}
	for name, rule := range alerts(t) {
		add("alert "+name, rule.Expr, slices.Collect(maps.Values(rule.Annotations))...)
	}
	if len(all) < 100 {
		t.Fatalf("only %d expressions", len(all))
	}
	return all
}

func TestDashboardsAreComplete(t *testing.T) {
	t.Parallel()
	uids := map[string]bool{}
	for name, d := range dashboards(t) {
		if d.Title == "" || d.UID != "orderflow-"+strings.TrimSuffix(name, ".json") || uids[d.UID] {
			t.Errorf("%s: the title is %q, the uid %q", name, d.Title, d.UID)
		}
		uids[d.UID] = true
		taken, ids := map[[2]int]string{}, map[int]bool{}
		for _, p := range d.Panels {
			if p.Title == "" || len(p.Targets) == 0 || ids[p.ID] || p.Datasource.UID != "prometheus" {
				t.Errorf("%s: panel %d %q is not complete", name, p.ID, p.Title)
			}
			ids[p.ID] = true
			if p.GridPos.W < 1 || p.GridPos.H < 1 || p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s: %s has no place", name, p.Title)
			}
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: %s lies on %s", name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

func TestEachAlertSaysHowBadItIsAndWhatToDo(t *testing.T) {
	t.Parallel()
	for name, rule := range alerts(t) {
		if severity := rule.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s: the severity is %q", name, severity)
		}
		if rule.Annotations["summary"] == "" || !strings.HasPrefix(rule.Annotations["runbook"], "docs/runbook.md#") {
			t.Errorf("%s: %v", name, rule.Annotations)
		}
	}
}
