package bench

import (
	"os"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/local/system"
)

// Every row with small numbers, to check that the benchmark still understands the services' tables and messages. It takes
// some minutes, so it only runs when it is requested.
func TestEveryRowCanBeMeasured(t *testing.T) {
	if os.Getenv("TEST_BENCH") == "" {
		t.Skip("set TEST_BENCH=1")
	}
	repo, err := system.FindRepo(".")
	must(t, err)
	results, err := Run(t.Context(), Options{
		Repo: repo, Dir: t.TempDir(), Out: t.Output(), Duration: 4 * time.Second, Seed: 7, Past: 300, Backlog: 300,
	})
	must(t, err)
	for _, name := range Names() {
		row := results.Row(name)
		if row == nil || row.Rate <= 0 || row.Orders == 0 || len(row.CPU) == 0 || len(row.Memory) == 0 {
			t.Errorf("%s was not measured: %+v", name, row)
			continue
		}
		if bare := name == "floor" || name == "naive"; bare == strings.HasSuffix(row.Audit, "no breach") {
			t.Errorf("%s has the audit %q", name, row.Audit)
		}
	}
	saga := results.Row("saga")
	if len(saga.Loads) != len(shares) || saga.Alone == nil || saga.Published < 8 || saga.Database.Commits < 1 {
		t.Errorf("of saga something is missing: %+v", saga)
	}
	if n := results.Row("past1m").History; n != 300 {
		t.Errorf("the past has %d orders, want 300", n)
	}
}

func TestRowsAreChosenByNameOrPrefix(t *testing.T) {
	t.Parallel()
	for only, want := range map[string]string{
		"":            strings.Join(Names(), ","),
		"saga":        "saga",
		"past,naive":  "naive,past10k,past1m",
		"replicas4":   "replicas4",
		"replicas,no": "!",
		"fast":        "!",
	} {
		var wanted []string
		if only != "" {
			wanted = strings.Split(only, ",")
		}
		rows, err := chosen(plans(Options{}), wanted)
		var names []string
		for _, p := range rows {
			names = append(names, p.name)
		}
		if got := strings.Join(names, ","); (err != nil) != (want == "!") || err == nil && got != want {
			t.Errorf("of %q: %s, %v", only, got, err)
		}
	}
}
