package deploy

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/local/servers"
)

// Services are listed in several places that are not compiled together. A service that is missing in one of them would still
// run, and it would only be noticed when an operator needs its dead letters.
func TestEveryServiceIsKnownWhereverServicesAre(t *testing.T) {
	t.Parallel()
	var folders []string
	for name, folder := range programs {
		if filepath.Base(filepath.Dir(folder)) == "services" {
			folders = append(folders, name)
		}
	}
	known := servers.Services()
	for _, name := range folders {
		if !slices.Contains(known, name) {
			t.Errorf("services/%s has no accounts: local/servers/accounts.go", name)
		}
	}
	for _, name := range known {
		if !slices.Contains(folders, name) {
			t.Errorf("there is no services/%s, which has accounts", name)
			continue
		}
		prefix := servers.Setting(name)
		for _, caller := range []string{"gateway", "bff-web"} { // through which its dead letters and its health are reached
			if _, there := settings(t, caller)[prefix+"_URL"]; !there {
				t.Errorf("%s has no %s_URL", caller, prefix)
			}
		}
		for file, lines := range map[string][]string{
			"go.work":              {"./services/" + name},
			".env.example":         {prefix + "_DATABASE_PASSWORD=", prefix + "_RABBITMQ_PASSWORD="},
			"docs/architecture.md": {"| [`" + name + "`](../services/" + name + ")"},
		} {
			for _, line := range lines {
				if !strings.Contains(string(read(t, file)), line) {
					t.Errorf("%s has no %s", file, line)
				}
			}
		}
	}
}
