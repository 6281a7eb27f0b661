package deploy

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/api/asyncapi"
	"example.com/orderflow/local/servers"
)

var (
	handled   = regexp.MustCompile(`(?:onEvent\[|m )messages\.(\w+)[\])]`)
	routed    = regexp.MustCompile(`e\.(GET|POST|PUT|PATCH|DELETE)\("([^"]+)"`)
	created   = regexp.MustCompile(`CREATE TABLE (\w+)`)
	backticks = regexp.MustCompile("`([^`]+)`")
)

// What the README of a service repeats is what its code says, and what api/asyncapi.yaml says.
func TestTheReadmesOfTheServicesSayWhatTheCodeDoes(t *testing.T) {
	t.Parallel()
	document, err := asyncapi.Read()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{} // by Go type
	for _, m := range document.Components.Messages {
		kinds[m.Value.Title] = m.Key
	}
	for _, service := range servers.Services() {
		readme := tableOf(t, "services/"+service+"/README.md")
		is := func(what string, want []string, rows ...string) {
			t.Helper()
			var says []string
			for _, row := range rows {
				cells, there := readme[row]
				if !there {
					t.Errorf("%s: the README has no row %q", service, row)
					return
				}
				first, _, _ := strings.Cut(cells[0], ";") // what every service has comes after it
				says = append(says, quoted(first)...)
			}
			slices.Sort(want)
			slices.Sort(says)
			if want = slices.Compact(want); !slices.Equal(says, want) {
				t.Errorf("%s: the README says %v, and %s %v", service, says, what, want)
			}
		}
		var handles, received, sent, routes, tables []string
		for _, m := range handled.FindAllStringSubmatch(sources(t, "services/"+service+"/consume.go"), -1) {
			handles = append(handles, kinds[m[1]])
		}
		for _, kinds := range document.Received(service) {
			received = append(received, kinds...)
		}
		sent = append(sent, document.Sent(service)...)
		for _, m := range routed.FindAllStringSubmatch(sources(t, "services/"+service+"/*.go"), -1) {
			routes = append(routes, m[1]+" "+m[2])
		}
		for _, m := range created.FindAllStringSubmatch(sources(t, "services/"+service+"/migrations/*.sql"), -1) {
			tables = append(tables, m[1])
		}
		for _, row := range []string{"owns", "calls"} {
			if len(readme[row]) == 0 || readme[row][0] == "" {
				t.Errorf("%s: the README does not say what it %s", service, row)
			}
		}
		is("consume.go", handles, "handles the commands", "handles the events")
		is("asyncapi.yaml", received, "handles the commands", "handles the events")
		is("asyncapi.yaml", sent, "sends")
		is("the code", routes, "answers to")
		is("the migrations", tables, "tables")

		var files, named []string
		for _, f := range glob(t, "services/"+service+"/*.go") {
			if name := filepath.Base(f); !strings.HasSuffix(name, "_test.go") {
				files = append(files, name)
			}
		}
		for row := range readme {
			for _, pattern := range quoted(row) {
				for _, f := range files {
					if ok, err := filepath.Match(pattern, f); err == nil && ok {
						named = append(named, f)
					}
				}
			}
		}
		slices.Sort(named)
		if named = slices.Compact(named); !slices.Equal(named, files) {
			t.Errorf("%s: the README tells of %v, and there are %v", service, named, files)
		}
	}
}

// Every folder that a visitor opens first says what it is.
func TestEveryFolderHasAReadme(t *testing.T) {
	t.Parallel()
	folders := []string{"bff-web", "gateway", "k8s", "local", "pkg", "simulator", "e2e"}
	for _, service := range servers.Services() {
		folders = append(folders, "services/"+service)
	}
	for _, d := range glob(t, "e2e/*/*_test.go") {
		folders = append(folders, filepath.Dir(d))
	}
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		folder = strings.TrimPrefix(folder, repo+"/")
		if text := string(read(t, folder+"/README.md")); !strings.HasPrefix(text, "# ") || len(text) < 100 {
			t.Errorf("%s/README.md does not say what the folder is", folder)
		}
	}
}

func quoted(text string) (all []string) {
	for _, m := range backticks.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repo, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

// sources are the texts of files, without those of tests.
func sources(t *testing.T, pattern string) string {
	t.Helper()
	var all strings.Builder
	for _, f := range glob(t, pattern) {
		if !strings.HasSuffix(f, "_test.go") {
			all.Write(read(t, strings.TrimPrefix(f, repo+"/")))
		}
	}
	return all.String()
}

// tableOf are the rows of the tables of a page: the cells after the first, by the first.
func tableOf(t *testing.T, page string) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	for line := range strings.Lines(string(read(t, page))) {
		if cells := strings.Split(strings.TrimSpace(line), "|"); len(cells) > 3 && cells[0] == "" {
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows[cells[1]] = cells[2 : len(cells)-1]
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table", page)
	}
	return rows
}
