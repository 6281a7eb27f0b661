package kubernetes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// arrows are all connections of the architecture and of the demonstration: who may connect to what.
var arrows = map[string][]string{
	"gateway":    {"bff-web:8080", "orders:8080", "payments:8080", "inventory:8080", "shipping:8080"},
	"bff-web":    {"gateway:8080", "gateway-admin:9080", "orders:8080", "payments:8080", "inventory:8080", "shipping:8080", "rabbitmq:5672", "simulator:8080"},
	"orders":     {"gateway:8080", "postgres:5432", "rabbitmq:5672"},
	"payments":   {"gateway:8080", "postgres:5432", "rabbitmq:5672", "simulator:8080"},
	"inventory":  {"gateway:8080", "postgres:5432", "rabbitmq:5672", "simulator:8080"},
	"shipping":   {"gateway:8080", "postgres:5432", "rabbitmq:5672", "simulator:8080"},
	"simulator":  {"gateway:8080"},
	"postgres":   nil,
	"rabbitmq":   nil,
	"provision":  {"postgres:5432", "rabbitmq:5672", "rabbitmq:15672"},
	"a stranger": nil,
}

// components are the labels that some policies use.
var components = map[string]string{
	"gateway": "edge", "bff-web": "web", "orders": "service", "payments": "service", "inventory": "service", "shipping": "service",
	"simulator": "world", "postgres": "database", "rabbitmq": "broker", "provision": "accounts", "a stranger": "none",
}

// Every pair is tried, from a pod with the labels of the first to the port of the second.
func TestOnlyTheArrowsOfTheArchitectureAreOpen(t *testing.T) {
	world(t)
	var targets []string
	for _, to := range arrows {
		targets = append(targets, to...)
	}
	slices.Sort(targets)
	targets = slices.Compact(targets)
	for from, open := range arrows {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			got := reached(t, namespace, from, targets)
			if want := slices.Sorted(slices.Values(open)); !slices.Equal(got, want) {
				t.Errorf("reaches %v\nwant    %v", got, want)
			}
		})
	}
	t.Run("a pod of another namespace", func(t *testing.T) {
		t.Parallel()
		// The public port, and the books that the test itself has to read.
		if got, want := reached(t, "default", "orders", targets), []string{"gateway:8080", "simulator:8080"}; !slices.Equal(got, want) {
			t.Errorf("reaches %v\nwant    %v", got, want)
		}
	})
}

// reached starts a pod that reports which of the targets it can connect to. It is never ready, so that no Service routes
// requests to it.
func reached(t *testing.T, in, from string, targets []string) []string {
	t.Helper()
	var script strings.Builder
	for _, target := range targets {
		host, port, _ := strings.Cut(target, ":")
		fmt.Fprintf(&script, "(timeout 5 bash -c '</dev/tcp/%s.%s.svc.cluster.local/%s' 2>/dev/null && echo %s) & ", host, namespace, port, target)
	}
	name := "reach-" + strings.ReplaceAll(from, " ", "-")
	manifest := fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata:
  name: %s
  namespace: %s
  labels: {app.kubernetes.io/name: %s, app.kubernetes.io/component: %s}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: reach
      image: postgres:17
      command: [bash, -c, "sleep 2; %swait"]
      readinessProbe: {exec: {command: ["false"]}}
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`, name, in, strings.ReplaceAll(from, " ", "-"), components[from], script.String())
	t.Cleanup(func() { kubectl(t, "--namespace="+in, "delete", "pod", name, "--wait=false") })
	if out, err := try(t, manifest, "--namespace="+in, "apply", "--filename=-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	kubectl(t, "--namespace="+in, "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/"+name, "--timeout=90s")
	return slices.Sorted(strings.FieldsSeq(kubectl(t, "--namespace="+in, "logs", name)))
}
