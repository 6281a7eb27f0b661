package bench

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"
)

//go:embed benchmarks.md.tmpl
var docs string

// page is the data of the template.
type page struct {
	Results

	Rates, Latencies, Costs, CPU, Scale, Memory, Backlog, Runs string // tables, empty when no row has figures for them
}

func newPage(r Results) page {
	r.Rows = slices.Clone(r.Rows)
	order := Names()
	slices.SortStableFunc(r.Rows, func(a, b Row) int { return slices.Index(order, a.Name) - slices.Index(order, b.Name) })
	return page{
		Results: r, Rates: rates(r), Latencies: latencies(r), Costs: costs(r), CPU: processors(r), Scale: scale(r),
		Memory: memories(r), Backlog: backlogs(r), Runs: runs(r),
	}
}

// Tables formats the results for a terminal.
func Tables(r Results) string {
	p := newPage(r)
	tables := []string{p.Rates, p.Latencies, p.Costs, p.CPU, p.Scale, p.Backlog, p.Memory, p.Runs}
	return strings.Join(slices.DeleteFunc(tables, func(t string) bool { return t == "" }), "\n")
}

// WriteDocs writes the page at path, and its plot into the folder images beside it.
func WriteDocs(path string, r Results) error {
	text, err := renderDocs(r)
	if err != nil {
		return err
	}
	image := filepath.Join(filepath.Dir(path), "images", "benchmarks.svg")
	if err := os.MkdirAll(filepath.Dir(image), 0o755); err != nil { //nolint:gosec // docs are for everybody
		return fmt.Errorf("folder of the plot: %w", err)
	}
	for file, content := range map[string]string{path: text, image: drawChart(r)} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil { //nolint:gosec // likewise
			return fmt.Errorf("write the docs: %w", err)
		}
	}
	return nil
}

func renderDocs(r Results) (string, error) {
	t, err := template.New("benchmarks").Parse(docs)
	if err != nil {
		return "", fmt.Errorf("template of the docs: %w", err)
	}
	var out strings.Builder
	if err := t.Execute(&out, newPage(r)); err != nil {
		return "", fmt.Errorf("write the docs: %w", err)
	}
	return out.String(), nil
}

// table formats a Markdown table. The first column is aligned left, numbers are aligned right.
func table(head []string, rows [][]string) string {
	if len(rows) == 0 {
		return ""
	}
	var out strings.Builder
	line := func(cells []string) { fmt.Fprintf(&out, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	rule := slices.Repeat([]string{"---:"}, len(head))
	rule[0] = "---"
	line(rule)
	for _, row := range rows {
		line(row)
	}
	return out.String()
}

func rates(r Results) string {
	var rows [][]string
	floor := r.Row("floor")
	for _, name := range []string{"floor", "naive", "saga"} {
		row := r.Row(name)
		if row == nil {
			continue
		}
		share := ""
		if floor != nil && floor.Rate > 0 {
			share = fmt.Sprintf("%.2f", row.Rate/floor.Rate)
		}
		alone := ""
		if row.Alone != nil {
			alone = millis(row.Alone.End.P50)
		}
		rows = append(rows, []string{name, whole(row.Rate), whole(row.Rate / float64(max(1, r.Machine.Cores))), share, fmt.Sprint(row.Callers), millis(row.End.P50), alone})
	}
	return table([]string{"row", "orders/s", "a core", "of floor", "under way", "delivered, p50", "alone, p50"}, rows)
}

func latencies(r Results) string {
	saga := r.Row("saga")
	if saga == nil {
		return ""
	}
	var rows [][]string
	add := func(load string, l Latency) {
		rows = append(rows, []string{
			load, fmt.Sprintf("%.1f", l.Rate), fmt.Sprint(l.Orders),
			millis(l.Accept.P50), millis(l.Accept.P99), millis(l.End.P50), millis(l.End.P99), fmt.Sprint(l.Refused),
		})
	}
	if saga.Alone != nil {
		add("one at a time", *saga.Alone)
	}
	for _, l := range saga.Loads {
		add(fmt.Sprintf("%.0f%%", 100*l.Share), l)
	}
	return table([]string{"load", "orders/s", "orders", "accepted, p50", "p99", "delivered, p50", "p99", "refused"}, rows)
}

func costs(r Results) string {
	var rows [][]string
	for _, row := range r.Rows {
		if row.Database == (Database{}) {
			continue
		}
		d := row.Database
		rows = append(rows, []string{
			row.Name, fmt.Sprintf("%.1f", row.Published), decimal(d.Statements), decimal(d.Commits), decimal(d.Syncs), whole(d.KB), fmt.Sprintf("%.1f", sum(row.CPU)),
		})
	}
	return table([]string{"row", "messages", "statements", "commits", "WAL syncs", "WAL kB", "CPU ms"}, rows)
}

// processors is the CPU time of each program. Each row is a column, because most programs are in all rows.
func processors(r Results) string {
	return byProgram(r, func(row Row) map[string]float64 { return row.CPU }, func(v float64) string { return fmt.Sprintf("%.2f", v) })
}

func memories(r Results) string {
	return byProgram(r, func(row Row) map[string]float64 {
		if row.Peak != nil {
			return row.Peak
		}
		return row.Memory
	}, whole)
}

// byProgram has a line for each program and a column for each row.
func byProgram(r Results, of func(Row) map[string]float64, write func(float64) string) string {
	head, lines := []string{"program"}, map[string][]string{}
	for _, row := range r.Rows {
		if len(of(row)) == 0 {
			continue
		}
		for name := range of(row) {
			if lines[name] == nil {
				lines[name] = []string{name}
			}
		}
		head = append(head, row.Name)
	}
	for _, row := range r.Rows {
		if len(of(row)) == 0 {
			continue
		}
		for name := range lines {
			cell := ""
			if v, there := of(row)[name]; there {
				cell = write(v)
			}
			lines[name] = append(lines[name], cell)
		}
	}
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		rows = append(rows, lines[name])
	}
	return table(head, rows)
}

func scale(r Results) string {
	var rows [][]string
	saga := r.Row("saga")
	for _, row := range r.Rows {
		if row.Backlog != nil || row.Name == "floor" || row.Name == "naive" {
			continue
		}
		of := ""
		if saga != nil && saga.Rate > 0 {
			of = fmt.Sprintf("%.2f", row.Rate/saga.Rate)
		}
		half := Latency{}
		for _, l := range row.Loads {
			if l.Share == 0.5 {
				half = l
			}
		}
		rows = append(rows, []string{
			row.Name, fmt.Sprint(row.History), kilobytes(row.HistoryKB), fmt.Sprint(row.Replicas), whole(row.Rate), of,
			millis(half.Accept.P50), millis(half.Accept.P99), millis(half.End.P50), millis(half.End.P99),
		})
	}
	if len(rows) == 1 && saga != nil {
		return "" // there is no row to compare it with
	}
	return table([]string{"row", "orders before", "kB each", "replicas", "orders/s", "of saga", "accepted at 50%, p50", "p99", "delivered, p50", "p99"}, rows)
}

func backlogs(r Results) string {
	var rows [][]string
	for _, row := range r.Rows {
		if b := row.Backlog; b != nil {
			rows = append(rows, []string{
				b.Service, fmt.Sprint(b.Messages), seconds(b.Drained), whole(float64(b.Messages) / b.Drained.Seconds()),
				seconds(b.Rest), whole(row.Rate), whole(row.Peak["rabbitmq"]), whole(row.Peak[b.Service]), whole(row.Peak["postgres"]),
			})
		}
	}
	return table([]string{"stopped", "messages", "drained after", "messages/s", "all at their end after", "orders/s", "RabbitMQ MB", "service MB", "PostgreSQL MB"}, rows)
}

func runs(r Results) string {
	var rows [][]string
	for _, row := range r.Rows {
		others := fmt.Sprintf("%.2f", row.Others)
		if row.Others > othersMost {
			others += " (not alone)"
		}
		rows = append(rows, []string{
			row.Name, row.At.Format("2006-01-02 15:04"), row.Commit, fmt.Sprint(row.Seed), seconds(row.Window), seconds(row.Took), others, strings.TrimPrefix(row.Audit, "audit: "),
		})
	}
	return table([]string{"row", "began (UTC)", "commit", "seed", "window", "took", "cores busy with something else", "audit"}, rows)
}

// kilobytes is empty where nothing was measured.
func kilobytes(kb float64) string {
	if kb == 0 {
		return ""
	}
	return decimal(kb)
}

func whole(v float64) string { return fmt.Sprintf("%.0f", v) }

// decimal writes small numbers with all their digits.
func decimal(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }

func sum(of map[string]float64) (all float64) {
	for _, v := range of {
		all += v
	}
	return all
}
