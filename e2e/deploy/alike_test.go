package deploy

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/local/servers"
)

var (
	partName = regexp.MustCompile(`service\.Part\{Name: "([^"]+)"`)
	metered  = regexp.MustCompile(`\.(?:Int64|Float64)\w+\("(\w+)"`)
)

// Somebody who knows one service finds the way in the others.
func TestTheServicesAreAlike(t *testing.T) {
	t.Parallel()
	for _, service := range servers.Services() {
		folder := "services/" + service + "/"
		for file, what := range map[string][]string{ // in this order
			"main.go": {
				`const name = "` + service + `"`, "\ntype config struct {", "func main() { service.Main(name, run) }",
				"postgres.Open(", "postgres.Migrate(", "bus.NewBroker(", "broker.NewPublisher()", " := new", "inbox.New(", "web.New(",
				".routes(server, ", "deadletters.New(", "return p.Run(ctx,", "now: postgres.Now",
			},
			"consume.go": {") handlers() []inbox.Handler[*work] {"},
			"work.go":    {"\ntype work struct {", ") work() *work {", "func (w *work) About(", "func (w *work) Load(", "func (w *work) Save("},
			"store.go":   {" = postgres.NewTable("},
			"http.go":    {") routes(e *web.Server, "},
		} {
			rest := string(read(t, folder+file))
			for _, w := range what {
				_, after, there := strings.Cut(rest, w)
				if !there {
					t.Errorf("%s%s has no %q behind the one before", folder, file, w)
					break
				}
				rest = after
			}
		}
		var parts []string
		for _, m := range partName.FindAllStringSubmatch(string(read(t, folder+"main.go")), -1) {
			parts = append(parts, m[1])
		}
		place := func(part string) int { // those of the service itself are behind its consumers
			if i := slices.Index([]string{"http", "commands", "events", "expire inbox", "", "relay", "publisher"}, part); i >= 0 {
				return i
			}
			return 4
		}
		if !slices.IsSortedFunc(parts, func(a, b string) int { return place(a) - place(b) }) || len(parts) < 4 {
			t.Errorf("%s: the parts stop in the order %q", service, parts)
		}
		for _, file := range glob(t, folder+"*.go") {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text := string(read(t, folder+filepath.Base(file)))
			for _, m := range metered.FindAllStringSubmatch(text, -1) {
				if filepath.Base(file) != "metrics.go" || !strings.HasPrefix(m[1], service+"_") {
					t.Errorf("%s: the metric %s is not in metrics.go, or does not begin with the name of the service", file, m[1])
				}
			}
			if strings.Contains(text, "time.Now()") {
				t.Errorf("%s has a clock of its own", file)
			}
		}
	}
}
