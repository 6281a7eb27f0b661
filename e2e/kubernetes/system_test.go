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

// What is there already is left alone, so that a release restarts only what it changes; and accounts are brought up to date.
func TestApplyingAgainRestartsNothing(t *testing.T) {
	world(t)
	generations := func() string {
		return kubectl(t, "get", "deployments,statefulsets", "--output=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}\n{end}")
	}
	before := generations()
	kubectl(t, "delete", "job/provision", "--ignore-not-found") // as it is by itself a minute after its end
	kubectl(t, "apply", "-k", "overlay")
	kubectl(t, "wait", "--for=condition=Complete", "job/provision", "--timeout=2m")
	if after := generations(); after != before {
		t.Errorf("was\n%sand is\n%s", before, after)
	}
}

// The gateway finds a third replica by its name alone, and lets go of it again.
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
	if took > 15*time.Second { // the gateway's period and the DNS server's, 5 s each, and what this takes to look
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

// Programs and servers alike: whatever goes comes back, and nobody who tries again notices.
func TestEveryPodIsDeletedInTurnUnderLoad(t *testing.T) {
	w := world(t)
	available(t)
	c := stories.New(t, w)
	load := c.StartLoad()
	all := slices.DeleteFunc(pods(t), func(p pod) bool { return !p.ready() }) // without what the test before has left
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

// The namespace holds pods to the restricted level, so those that run keep to it; this one does not.
func TestAPodWithPrivilegesIsRefused(t *testing.T) {
	world(t)
	out, err := try(t, "", "run", "root", "--image=postgres:17", "--privileged", "--dry-run=server")
	if err == nil || !strings.Contains(out, `violates PodSecurity "restricted`) {
		t.Errorf("not refused: %v\n%s", err, out)
	}
}

// From outside there is one door, and metrics are not behind it.
func TestMetricsAreNotPublic(t *testing.T) {
	c := stories.New(t, world(t))
	c.Must(http.StatusNotFound, "", http.MethodGet, "/metrics", "")
}
