package deploy

import (
	"fmt"
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
		for _, server := range []string{"_DATABASE", "_RABBITMQ"} { // one of the program, one of provision
			if password := "${" + prefix + server + "_PASSWORD:-"; strings.Count(string(read(t, "docker-compose.yml")), password) != 2 {
				t.Errorf("docker-compose.yml does not have two passwords %s…}", password)
			}
		}
		if line := "./services/" + name; !strings.Contains(string(read(t, "go.work")), line) {
			t.Errorf("go.work has no %s", line)
		}
	}
}

// Its dead letters and its health are reached through the gateway and bff-web.
func TestTheGatewayAndTheConsoleReachEveryService(t *testing.T) {
	t.Parallel()
	_, callers := composed(t)
	for _, overlay := range overlays {
		applied, _ := render(t, overlay).containers(t)
		callers = append(callers, applied...)
	}
	seen := 0
	for _, c := range callers {
		if _, needed := settings(t, c.program)["SERVICES"]; !needed {
			continue
		}
		seen++
		var want, entries []string
		for _, name := range servers.Services() {
			want = append(want, fmt.Sprintf("%s=http://%s:8080", name, name))
		}
		for entry := range strings.SplitSeq(c.env["SERVICES"], ",") {
			entries = append(entries, strings.TrimSpace(entry))
		}
		slices.Sort(want)
		slices.Sort(entries)
		if !slices.Equal(entries, want) {
			t.Errorf("%s: %s reaches %v\nwant %v", c.where, c.program, entries, want)
		}
	}
	if seen != 2*(1+len(overlays)) {
		t.Errorf("%d programs have the setting SERVICES", seen)
	}
}
