package kubernetes

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
)

func TestStories(t *testing.T) {
	stories.Run(t, world(t))
}

// Unchanged resources are left alone, so that a release restarts only what it changes; accounts are updated.
func TestApplyingAgainRestartsNothing(t *testing.T) {
	world(t)
	generations := func() string {
		return kubectl(t, "get", "deployments,statefulsets", "--output=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}\n{end}")
	}
	before := generations()
	kubectl(t, "delete", "job/provision", "--ignore-not-found") // as happens anyway a minute after its end
	kubectl(t, "apply", "-k", "overlay")
	kubectl(t, "wait", "--for=condition=Complete", "job/provision", "--timeout=2m")
	if after := generations(); after != before {
		t.Errorf("was\n%sand is\n%s", before, after)
	}
}

// The gateway finds a third replica through DNS alone, and stops using it when it is gone.
func TestAThirdReplicaIsFoundByDNS(t *testing.T) {
	c := stories.New(t, world(t))
	before := names(pods(t))
	load := c.StartLoad()
	kubectl(t, "scale", "deployment/orders", "--replicas=3")
	t.Cleanup(func() { kubectl(t, "scale", "deployment/orders", "--replicas=2"); available(t) })
	var third pod
	stories.Until(t, "there is a third replica", func() bool {
		for _, p := range pods(t) {
			if p.program() == "orders" && p.ready() && !slices.Contains(before, p.Metadata.Name) {
				third = p
				return true
			}
		}
		return false
	})
	ready := time.Now()
	stories.Until(t, "requests reach the third replica", func() bool {
		return strings.Contains(kubectl(t, "logs", third.Metadata.Name), `"route":"/api/orders"`)
	})
	took := time.Since(ready)
	t.Logf("requests reach the third replica %s after it was ready", took.Round(time.Millisecond))
	if took > 15*time.Second { // the periods of the gateway and of the DNS server, 5 s each, and the time that this poll takes
		t.Errorf("it took %s", took)
	}
	kubectl(t, "scale", "deployment/orders", "--replicas=2")
	kubectl(t, "rollout", "status", "deployment/orders", "--timeout=2m")
	load.Finish()
}

func names(pods []pod) (names []string) {
	for _, p := range pods {
		names = append(names, p.Metadata.Name)
	}
	return names
}

// Each deleted pod of a program or server is replaced, and clients that retry do not notice.
func TestEveryPodIsDeletedInTurnUnderLoad(t *testing.T) {
	w := world(t)
	available(t)
	c := stories.New(t, w)
	load := c.StartLoad()
	all := slices.DeleteFunc(pods(t), func(p pod) bool { return !p.ready() }) // without pods that the previous test has left
	for _, name := range []string{"gateway", "orders", "simulator", "postgres", "rabbitmq"} {
		if !slices.ContainsFunc(all, func(p pod) bool { return p.program() == name }) {
			t.Fatalf("no pod of %s among %v", name, names(all))
		}
	}
	for _, gone := range all {
		start := time.Now()
		kubectl(t, "delete", "pod", gone.Metadata.Name, "--wait=false")
		stories.Until(t, gone.Metadata.Name+" is replaced", func() bool {
			ready := 0
			for _, p := range pods(t) {
				if p.ready() && p.Status.PodIP != gone.Status.PodIP {
					ready++
				}
			}
			return ready == len(all)
		})
		t.Logf("%s: replaced after %s", gone.Metadata.Name, time.Since(start).Round(100*time.Millisecond))
	}
	answers(t, w.Gateway)
	answers(t, w.Simulator)
	load.Finish()
}

func TestEveryDeploymentIsRestartedUnderLoad(t *testing.T) {
	w := world(t)
	available(t)
	c := stories.New(t, w)
	load := c.StartLoad()
	start := time.Now()
	kubectl(t, "rollout", "restart", "deployments")
	available(t)
	t.Logf("all deployments restarted in %s", time.Since(start).Round(time.Second))
	load.Finish()
}

// The namespace enforces the restricted level, so all running pods keep to it; this one does not.
func TestAPodWithPrivilegesIsRefused(t *testing.T) {
	world(t)
	out, err := try(t, "", "run", "root", "--image=postgres:17", "--privileged", "--dry-run=server")
	if err == nil || !strings.Contains(out, `violates PodSecurity "restricted`) {
		t.Errorf("not refused: %v\n%s", err, out)
	}
}

// Only one port is reachable from outside, and it does not serve metrics.
func TestMetricsAreNotPublic(t *testing.T) {
	c := stories.New(t, world(t))
	c.Must(http.StatusNotFound, "", http.MethodGet, "/metrics", "")
}
