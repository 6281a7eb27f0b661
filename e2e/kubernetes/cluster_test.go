// Package kubernetes tests Orderflow on a Kubernetes cluster, by kubectl and from outside. It wants a cluster that it may
// have for itself, with the images there (make images), and changes much in the namespace orderflow.
package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
)

const namespace = "orderflow"

// ports of every node, as the overlay gives them out.
const gatewayPort, booksPort = "30080", "30090"

// kubectl runs one command to its end and returns what it says.
func kubectl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := try(t, "", args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// try is kubectl for those who expect that it may be refused.
func try(t testing.TB, input string, args ...string) (string, error) {
	t.Helper()
	// A test that has ended still has to clean up.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "kubectl", append([]string{"--namespace=" + namespace}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var begun sync.Once

// deploy applies the overlay and waits until everything is ready.
func deploy(t *testing.T) {
	t.Helper()
	out := kubectl(t, "apply", "-k", "overlay")
	if strings.Contains(out, "Warning") { // of Pod Security, mostly
		t.Errorf("Kubernetes warns:\n%s", out)
	}
	start := time.Now()
	available(t)
	t.Logf("ready after %s", time.Since(start).Round(time.Second))
}

// available waits until every program and server has all its replicas, and has had them for minReadySeconds.
func available(t testing.TB) {
	t.Helper()
	for name := range strings.FieldsSeq(kubectl(t, "get", "deployments,statefulsets", "--output=name")) {
		kubectl(t, "rollout", "status", name, "--timeout=5m")
	}
}

// world deploys the system and says where it is.
func world(t *testing.T) stories.World {
	t.Helper()
	if os.Getenv("TEST_KUBERNETES") == "" {
		t.Skip("runs with TEST_KUBERNETES=1 (make test-kubernetes), on the cluster of kubectl's context")
	}
	begun.Do(func() { deploy(t) }) // once for all tests
	node := kubectl(t, "get", "nodes", "--output=jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}")
	return stories.World{
		Gateway:   cmp.Or(os.Getenv("ORDERFLOW_GATEWAY"), "http://"+node+":"+gatewayPort),
		Simulator: cmp.Or(os.Getenv("ORDERFLOW_BOOKS"), "http://"+node+":"+booksPort),
	}
}

// pod is what is of interest of one.
type pod struct {
	Metadata struct {
		Name, DeletionTimestamp string
		Labels                  map[string]string
	}
	Status struct {
		PodIP      string
		Conditions []struct{ Type, Status string }
	}
}

func (p pod) program() string { return p.Metadata.Labels["app.kubernetes.io/name"] }

// ready is whether it serves and is not about to stop.
func (p pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True" && p.Metadata.DeletionTimestamp == ""
		}
	}
	return false
}

// pods lists those of the programs and servers, one replica of each, then the second of each, and so on.
func pods(t testing.TB) []pod {
	t.Helper()
	var list struct{ Items []pod }
	selector := "--selector=app.kubernetes.io/part-of=orderflow,app.kubernetes.io/component!=accounts"
	if err := json.Unmarshal([]byte(kubectl(t, "get", "pods", selector, "--output=json")), &list); err != nil {
		t.Fatal(err)
	}
	var inTurn []pod
	for seen := 0; len(inTurn) < len(list.Items); seen++ {
		number := map[string]int{}
		for _, p := range list.Items {
			if number[p.program()] == seen {
				inTurn = append(inTurn, p)
			}
			number[p.program()]++
		}
	}
	return inTurn
}

// answers waits until a program that was just replaced can be reached from here again.
func answers(t testing.TB, address string) {
	t.Helper()
	stories.Until(t, address+" answers", func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := stories.Send(r)
		return err == nil && a.Status == http.StatusOK
	})
}
