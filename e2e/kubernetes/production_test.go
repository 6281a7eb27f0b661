package kubernetes

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/orderflow/e2e/stories"
)

// The API server knows every field, also those of the operators' resources. Nothing is started.
func TestTheProductionOverlayIsValid(t *testing.T) {
	world(t) // makes its namespace
	for _, file := range definitions(t) {
		kubectl(t, "apply", "--server-side", "--force-conflicts", "--filename="+file)
		stories.Until(t, file+" is known", func() bool { // wait fails at once for a resource without conditions
			_, err := try(t, "", "wait", "--for=condition=Established", "--filename="+file, "--timeout=1m")
			return err == nil
		})
	}
	rendered := kubectl(t, "kustomize", "../../k8s/overlays/production")
	out, err := try(t, rendered, "apply", "--dry-run=server", "--validate=strict", "--filename=-")
	if err != nil || strings.Contains(out, "Warning") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%d objects", strings.Count(out, "(server dry run)"))
}

// definitions are the files that define the operators' kinds of resources. They come with their Go modules.
func definitions(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("crds.txt")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for line := range strings.Lines(string(text)) {
		module, path, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || module == "#" {
			continue
		}
		out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module).Output()
		var m struct{ Dir, Error string }
		if err := json.Unmarshal(out, &m); err != nil || m.Error != "" {
			t.Fatalf("download %s: %v %s", module, err, m.Error)
		}
		if err != nil {
			t.Fatalf("download %s: %v", module, err)
		}
		files = append(files, filepath.Join(m.Dir, path))
	}
	return files
}
