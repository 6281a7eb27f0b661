// Package kubernetes tests Orderflow on a Kubernetes cluster, with kubectl and from outside. It needs a cluster for itself that
// has the images (make images), and changes much in the namespace orderflow.
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

// ports of every node, as the overlay publishes them.
const gatewayPort, booksPort = "30080", "30090"

// kubectl runs a command, which must succeed, and returns its output.
func kubectl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := try(t, "", args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// try runs a kubectl command that may fail.
func try(t testing.TB, input string, args ...string) (string, error) {
	t.Helper()
	// Cleanup needs it after the end of the test, too.
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
	if strings.Contains(out, "Warning") { // for example of Pod Security
		t.Errorf("Kubernetes warns:\n%s", out)
	}
	start := time.Now()
	available(t)
	t.Logf("ready after %s", time.Since(start).Round(time.Second))
}

// available waits until every program and server has had all its replicas for minReadySeconds.
func available(t testing.TB) {
	t.Helper()
	for name := range strings.FieldsSeq(kubectl(t, "get", "deployments,statefulsets", "--output=name")) {
		kubectl(t, "rollout", "status", name, "--timeout=5m")
	}
}

// world deploys the system and returns its addresses.
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

// pod is the part of a pod that the tests need.
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

// ready reports whether the pod is ready and is not stopping.
func (p pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True" && p.Metadata.DeletionTimestamp == ""
		}
	}
	return false
}

// pods lists the pods of the programs and servers: one replica of each, then the second of each, and so on.
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

// answers waits until a program that was just replaced can be reached again from outside.
func answers(t testing.TB, address string) {
	t.Helper()
	stories.Until(t, address+" answers", func() bool {
		a, err := stories.Send(t.Context(), http.MethodGet, address+"/readyz", "")
		return err == nil && a.Status == http.StatusOK
	})
}
