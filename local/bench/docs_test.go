package bench

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// measured is a run with invented figures.
func measured() Results {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	base := Row{At: at, Commit: "0123456789", Took: 90 * time.Second, Window: time.Minute, Seed: 7, Replicas: 1, Audit: "audit: 6000 orders, 34 rules, 200000 checks, no breach"}
	floor, naive, saga, past, replicas, backlog := base, base, base, base, base, base
	floor.Name, floor.Rate, floor.Callers, floor.End, floor.Audit = "floor", 1512.4, 1024, Quantiles{640, 900}, ""
	floor.Alone = &Latency{Rate: 60, Orders: 300, Accept: Quantiles{0.6, 2}, End: Quantiles{16.2, 30}}
	floor.CPU, floor.Published = map[string]float64{driver: 0.4, "postgres": 0.3, "rabbitmq": 0.6}, 8
	floor.Database = Database{Statements: 0.1, Commits: 0.12, Syncs: 0.05, KB: 7.6}
	floor.Memory = map[string]float64{"postgres": 86.2, "rabbitmq": 154.4}
	naive.Name, naive.Rate, naive.Callers, naive.End, naive.Others, naive.Audit = "naive", 180, 128, Quantiles{710, 900}, 0.4, ""
	saga.Name, saga.Rate, saga.Callers, saga.End = "saga", 410.6, 128, Quantiles{310, 800}
	saga.Alone = &Latency{Rate: 20, Orders: 200, Accept: Quantiles{4.1, 9}, End: Quantiles{48, 70}}
	saga.Loads = []Latency{
		{Share: 0.1, Rate: 41, Orders: 1230, Accept: Quantiles{4.3, 11}, End: Quantiles{52, 95}},
		{Share: 0.5, Rate: 205, Orders: 6150, Accept: Quantiles{5.5, 28}, End: Quantiles{88, 210}},
		{Share: 0.9, Rate: 370, Orders: 11100, Accept: Quantiles{9.8, 140}, End: Quantiles{260, 1400}, Refused: 2},
	}
	saga.CPU, saga.Published = map[string]float64{driver: 0.5, "gateway": 0.4, "orders": 1.1, "postgres": 1.9, "rabbitmq": 0.9}, 18
	saga.Database = Database{Statements: 22.4, Commits: 3.1, Syncs: 0.6, KB: 32}
	saga.Memory = map[string]float64{"gateway": 32, "orders": 31, "postgres": 170, "rabbitmq": 160}
	past.Name, past.History, past.HistoryKB, past.Rate, past.Loads = "past1m", 1_000_000, 3.25, 380, saga.Loads[1:2]
	replicas.Name, replicas.Replicas, replicas.Rate, replicas.Loads = "replicas2", 2, 350, saga.Loads[1:2]
	backlog.Name, backlog.Rate = "backlog", 900
	backlog.Backlog = &Backlog{Service: "inventory", Messages: 200_001, Drained: 140 * time.Second, Rest: 222 * time.Second}
	backlog.Peak = map[string]float64{"inventory": 40, "postgres": 260, "rabbitmq": 410}
	return Results{
		Machine: Machine{
			Processor: "Some Processor", Cores: 2, MemoryGB: 24, System: "linux/amd64, Linux 6.1", FileSystem: "ext4", Go: "1.26.8",
			PostgreSQL: "15.18", RabbitMQ: "3.10.8", SyncMicros: 250,
		},
		Rows: []Row{backlog, saga, naive, floor, replicas, past}, // in any order
	}
}

func TestThePageAndThePlotOfMeasuredRows(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := WriteDocs(page, measured()); err != nil {
		t.Fatal(err)
	}
	for file, golden := range map[string]string{
		page: "benchmarks.md", filepath.Join(filepath.Dir(page), "images", "benchmarks.svg"): "benchmarks.svg",
	} {
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", golden)
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not as it was; to write it anew: go test ./bench -run Page -update\n%s", golden, got)
		}
	}
}

// The page of a run with only some rows contains only those rows, and its plot is well-formed in any case.
func TestRowsThatWereNotMeasuredAreNotShown(t *testing.T) {
	t.Parallel()
	all := measured()
	for name, rows := range map[string][]Row{"nothing": nil, "one bar": all.Rows[3:4], "no bars": all.Rows[:1], "no latencies": {{Name: "saga", Rate: 3}}} {
		some := all
		some.Rows = rows
		text, err := renderDocs(some)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, odd := range []string{"NaN", "Inf", "<no value>", "%!"} {
			if strings.Contains(text+drawChart(some), odd) {
				t.Errorf("%s: the page or the plot has %s", name, odd)
			}
		}
		if told := strings.Contains(text, "## After an outage"); told != (name == "no bars") {
			t.Errorf("%s: a backlog is told of: %t", name, told)
		}
		for in := xml.NewDecoder(strings.NewReader(drawChart(some))); ; {
			if _, err := in.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%s: the plot is no XML: %v", name, err)
				break
			}
		}
	}
}

func TestTheScaleOfAnAxisHasThreeToSixSteps(t *testing.T) {
	t.Parallel()
	for _, most := range []float64{0.7, 1, 3, 9.9, 10, 37, 85, 420, 801, 1512, 9999} {
		ticks := niceScale(most)
		if steps := len(ticks) - 1; steps < 2 || steps > 10 || ticks[steps] < most || ticks[0] != 0 {
			t.Errorf("up to %g: %v", most, ticks)
		}
	}
}
