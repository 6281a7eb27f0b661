package deploy

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// cluster is an overlay as kubectl would apply it.
type cluster struct {
	where      string
	workloads  []workload
	services   map[string]service
	data       map[string]map[string]string // of ConfigMaps and Secrets, by kind/name
	policies   []policy
	permission map[string]permissions // by user
	topics     map[string]permissions
	scaled     []scaledObject
	accounts   []account
}

// workload is a Deployment, StatefulSet or Job.
type workload struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				TerminationGracePeriodSeconds int
				Containers                    []struct {
					Image   string
					EnvFrom []struct{ ConfigMapRef, SecretRef struct{ Name string } }
					Env     []struct {
						Name, Value string
						ValueFrom   struct{ SecretKeyRef struct{ Name, Key string } }
					}
					Ports                                       []port
					Resources                                   struct{ Limits map[string]string }
					StartupProbe, ReadinessProbe, LivenessProbe struct{ HTTPGet struct{ Path, Port string } }
				}
			}
		}
	}
}

type port struct {
	Name                string
	ContainerPort, Port int
	TargetPort          string
}

// service is a name that programs may use, the pods behind it, and the ports of the pods by the service's ports.
type service struct {
	pods  map[string]string
	ports map[int]int
}

// overlays are all that can be applied.
var overlays = []string{"k8s/overlays/kind", "k8s/overlays/kind-observability", "k8s/overlays/minikube", "k8s/overlays/production"}

// render renders and reads an overlay.
func render(t testing.TB, overlay string) *cluster {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(repo, overlay))
	if err != nil {
		t.Fatalf("%s: %v", overlay, err)
	}
	c := &cluster{
		where: overlay, services: map[string]service{}, data: map[string]map[string]string{},
		permission: map[string]permissions{}, topics: map[string]permissions{},
	}
	c.readWorkloads(t, rendered)
	c.readServices(t, rendered)
	each(t, rendered, "ConfigMap", func(m struct {
		Metadata struct{ Name string }
		Data     map[string]string
	},
	) {
		c.data["ConfigMap/"+m.Metadata.Name] = m.Data
	})
	each(t, rendered, "Secret", func(s struct {
		Metadata struct{ Name string }
		Data     map[string][]byte // JSON has them in base64
	},
	) {
		c.data["Secret/"+s.Metadata.Name] = map[string]string{}
		for key, value := range s.Data {
			c.data["Secret/"+s.Metadata.Name][key] = string(value)
		}
	})
	each(t, rendered, "ExternalSecret", func(s struct {
		Metadata struct{ Name string }
		Spec     struct{ Data []struct{ SecretKey string } }
	},
	) {
		c.data["Secret/"+s.Metadata.Name] = map[string]string{}
		for _, d := range s.Spec.Data {
			c.data["Secret/"+s.Metadata.Name][d.SecretKey] = secret
		}
	})
	each(t, rendered, "NetworkPolicy", func(p policy) { c.policies = append(c.policies, p) })
	each(t, rendered, "Permission", func(p grant) { c.permission[p.Spec.UserReference.Name] = p.Spec.Permissions })
	each(t, rendered, "TopicPermission", func(p grant) { c.topics[p.Spec.UserReference.Name] = p.Spec.Permissions })
	for _, kind := range []string{"DatabaseRole", "Database", "User"} {
		each(t, rendered, kind, func(a account) { c.accounts = append(c.accounts, a) })
	}
	each(t, rendered, "ScaledObject", func(s scaledObject) { c.scaled = append(c.scaled, s) })
	return c
}

// each calls do for all objects of a kind.
func each[T any](t testing.TB, rendered resmap.ResMap, kind string, do func(T)) {
	t.Helper()
	for _, r := range rendered.Resources() {
		if r.GetKind() != kind {
			continue
		}
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		var v T
		if err := yaml.Unmarshal(text, &v); err != nil {
			t.Fatalf("%s %s: %v", kind, r.GetName(), err)
		}
		do(v)
	}
}

func (c *cluster) readWorkloads(t testing.TB, rendered resmap.ResMap) {
	t.Helper()
	for _, kind := range []string{"Deployment", "StatefulSet", "Job"} {
		each(t, rendered, kind, func(w workload) { c.workloads = append(c.workloads, w) })
	}
}

// readServices reads the Services, and adds those that the operators make.
func (c *cluster) readServices(t testing.TB, rendered resmap.ResMap) {
	t.Helper()
	each(t, rendered, "Service", func(s struct {
		Metadata struct{ Name string }
		Spec     struct {
			Selector map[string]string
			Ports    []port
		}
	},
	) {
		ports := map[int]int{}
		for _, p := range s.Spec.Ports {
			ports[p.Port] = c.target(t, s.Spec.Selector, p.TargetPort)
		}
		c.services[s.Metadata.Name] = service{s.Spec.Selector, ports}
	})
	each(t, rendered, "Cluster", func(s struct {
		Metadata struct{ Name string }
		Spec     struct {
			Managed struct {
				Services struct {
					Additional []struct {
						ServiceTemplate struct{ Metadata struct{ Name string } }
					}
				}
			}
		}
	},
	) {
		for _, a := range s.Spec.Managed.Services.Additional {
			c.services[a.ServiceTemplate.Metadata.Name] = service{map[string]string{"cnpg.io/cluster": s.Metadata.Name}, map[int]int{5432: 5432}}
		}
	})
	each(t, rendered, "RabbitmqCluster", func(s struct{ Metadata struct{ Name string } }) {
		c.services[s.Metadata.Name] = service{map[string]string{"app.kubernetes.io/name": s.Metadata.Name}, map[int]int{5672: 5672}}
	})
}

// target returns the number of a port that a Service refers to by name.
func (c *cluster) target(t testing.TB, selector map[string]string, name string) int {
	t.Helper()
	for _, w := range c.workloads {
		if !selects(selector, w.Spec.Template.Metadata.Labels) {
			continue
		}
		for _, p := range w.Spec.Template.Spec.Containers[0].Ports {
			if p.Name == name {
				return p.ContainerPort
			}
		}
	}
	t.Errorf("%s: no pod %v has a port %q", c.where, selector, name)
	return 0
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

// containers builds the environment of each of our containers, and requires the sources of its values to exist.
func (c *cluster) containers(t testing.TB) (ours []container, of []workload) {
	t.Helper()
	base, _ := image(t)
	for _, w := range c.workloads {
		for _, k := range w.Spec.Template.Spec.Containers {
			program, ok := programOf(k.Image)
			if !ok {
				continue
			}
			env := maps.Clone(base)
			for _, from := range k.EnvFrom {
				source := "ConfigMap/" + from.ConfigMapRef.Name
				if from.SecretRef.Name != "" {
					source = "Secret/" + from.SecretRef.Name
				}
				data, ok := c.data[source]
				if !ok {
					t.Errorf("%s: %s: there is no %s", c.where, program, source)
				}
				maps.Copy(env, data)
			}
			for _, e := range k.Env {
				env[e.Name] = e.Value
				if ref := e.ValueFrom.SecretKeyRef; ref.Name != "" {
					value, ok := c.data["Secret/"+ref.Name][ref.Key]
					if env[e.Name] = value; !ok {
						t.Errorf("%s: %s: there is no %s in a Secret %s", c.where, program, ref.Key, ref.Name)
					}
				}
			}
			ours, of = append(ours, container{c.where, program, env, bytes(t, k.Resources.Limits["memory"])}), append(of, w)
		}
	}
	return ours, of
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()
			c := render(t, overlay)
			containers, of := c.containers(t)
			there := map[string]bool{}
			for i, k := range containers {
				there[k.program] = true
				if k.program == "provision" {
					delete(k.env, "HTTP_ADDR") // of the image: it serves no HTTP
				} else {
					c.checkPorts(t, k, of[i])
				}
				check(t, k)
				checkMemory(t, k)
				if k.env["DEMO_IDENTITY"] != "" && overlay == "k8s/overlays/production" {
					t.Errorf("%s: %s gives tokens to any caller", overlay, k.program)
				}
				c.checkUpstreams(t, k, of[i])
			}
			for _, w := range c.workloads {
				for _, label := range []string{"name", "component", "part-of", "managed-by"} {
					if w.Spec.Template.Metadata.Labels["app.kubernetes.io/"+label] == "" {
						t.Errorf("%s: pods of %s have no label %s", overlay, w.Metadata.Name, label)
					}
				}
			}
			for program := range programs {
				// In production the outside world is not simulated.
				if want := program != "simulator" || overlay != "k8s/overlays/production"; there[program] != want {
					t.Errorf("%s: %s is there: %t", overlay, program, there[program])
				}
			}
		})
	}
}

// checkPorts requires that a program listens where its pod and its probes say, that the probes request existing paths, and
// that there is time to stop.
func (c *cluster) checkPorts(t testing.TB, k container, w workload) {
	t.Helper()
	spec := w.Spec.Template.Spec
	complain := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: %s: %s", c.where, k.program, fmt.Sprintf(format, args...))
	}
	number := map[string]int{}
	var declared []int
	for _, p := range spec.Containers[0].Ports {
		number[p.Name] = p.ContainerPort
		declared = append(declared, p.ContainerPort)
	}
	if listens := k.listens(t); !slices.Equal(listens, declared) {
		complain("listens on %v, and its pod says %v", listens, declared)
	}
	for probe, want := range map[string]struct {
		get  struct{ Path, Port string }
		path string
	}{
		"startup":   {spec.Containers[0].StartupProbe.HTTPGet, "/readyz"},
		"readiness": {spec.Containers[0].ReadinessProbe.HTTPGet, "/readyz"},
		"liveness":  {spec.Containers[0].LivenessProbe.HTTPGet, "/livez"},
	} {
		if want.get.Path != want.path || number[want.get.Port] != k.listens(t)[0] {
			complain("its %s probe asks for %s at %q", probe, want.get.Path, want.get.Port)
		}
	}
	if spec.TerminationGracePeriodSeconds < 30 { // longer than service.StopWithin
		complain("has %d s to stop", spec.TerminationGracePeriodSeconds)
	}
}

// checkUpstreams requires that a pod listens at each address in the settings, and that the policies allow the connection.
func (c *cluster) checkUpstreams(t testing.TB, k container, w workload) {
	t.Helper()
	for name, addresses := range k.addresses() {
		if name == "JWKS_URL" && k.env["DEMO_IDENTITY"] == "true" {
			continue // it has the keys itself
		}
		for _, to := range addresses {
			if strings.Contains(to.Host, ".") {
				continue // it is outside
			}
			at, err := strconv.Atoi(to.Port())
			s := c.services[to.Hostname()]
			target, ok := s.ports[at]
			if err != nil || !ok {
				t.Errorf("%s: %s: nobody listens at %s in %s", c.where, k.program, to.Host, name)
				continue
			}
			from, pods := w.Spec.Template.Metadata.Labels, c.labels(s)
			if !c.allows("Egress", from, pods, target) || !c.allows("Ingress", pods, from, target) {
				t.Errorf("%s: %s: no policy lets it reach %s in %s", c.where, k.program, to.Host, name)
			}
		}
	}
}

// labels are the labels of the pods behind a Service; for an operator's, those that are known.
func (c *cluster) labels(s service) map[string]string {
	for _, w := range c.workloads {
		if labels := w.Spec.Template.Metadata.Labels; selects(s.pods, labels) {
			return labels
		}
	}
	return s.pods
}

// Compose and Kubernetes describe the same system.
func TestComposeAndKubernetesRunTheSamePrograms(t *testing.T) {
	t.Parallel()
	_, composed := composed(t)
	applied, _ := render(t, "k8s/overlays/kind").containers(t)
	names := func(containers []container) (names []string) {
		for _, c := range containers {
			names = append(names, c.program)
		}
		slices.Sort(names)
		return names
	}
	if a, b := names(composed), names(applied); !slices.Equal(a, b) {
		t.Errorf("docker-compose.yml runs %v\nk8s/overlays/kind  %v", a, b)
	}
}
