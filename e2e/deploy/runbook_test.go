package deploy

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"
)

// manuals are the pages that an operator has open when something is wrong.
var manuals = []string{"docs/monitoring.md", "docs/runbook.md"}

// foreign are the words on these pages that are not in our code.
var foreign = map[string][]string{
	"RabbitMQ": {"PRECONDITION_FAILED", "ACCESS_REFUSED", "rabbitmq_prometheus"},
	"OpenTelemetry": {
		"target_info", "service_name", "service_version", "error_type", "http_route", "resend_count", "messaging", "conversation_id",
		"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "parentbased_traceidratio",
	},
	"Prometheus": {"go_…", "process_…", "http_server_…_body_size_bytes", "prometheus", "rules", "yml"},
	"PostgreSQL": {"gen_random_uuid", "json_build_object", "encode", "escape", "interval", "now", "true"},
	"a shell":    {"TRACES", "api", "olga", "id", "next", "letters", "patiently", "program"},
}

// said is what the programs say.
type said struct {
	texts   string          // in their sources
	schema  string          // their migrations
	logged  map[string]bool // the messages of their logs
	metrics map[string]bool // by their names in Prometheus; `*` stands for a beginning that is not constant
}

var (
	instrument = regexp.MustCompile(`^(?:New|(?:Int64|Float64)(?:Observable)?)(Counter|Gauge|Histogram)$`)
	logs       = regexp.MustCompile(`^(?:Debug|Info|Warn|Error|Log)(?:Context)?$`)
	byHand     = regexp.MustCompile(`^# TYPE (\w+) `)
	units      = map[string]string{"s": "_seconds", "By": "_bytes"}
)

var listen = sync.OnceValues(func() (*said, error) {
	s := &said{logged: map[string]bool{}, metrics: map[string]bool{}}
	var texts, schema strings.Builder
	constants := map[string]string{}
	visit := func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go"):
			return err
		case filepath.Ext(path) == ".sql":
			text, err := os.ReadFile(path)
			schema.WriteString(remark.ReplaceAllString(string(text), ""))
			return err
		case filepath.Ext(path) == ".yml":
			text, err := os.ReadFile(path)
			texts.Write(text)
			return err
		case filepath.Ext(path) != ".go":
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				texts.WriteString(constant(n) + "\n")
			case *ast.ValueSpec:
				for i, value := range n.Values {
					constants[n.Names[i].Name] = constant(value)
				}
			case *ast.CallExpr:
				s.note(n)
			}
			return true
		})
		return nil
	}
	for _, folder := range []string{"pkg", "services", "gateway", "bff-web", "simulator", "observability", "docker-compose.yml"} {
		if err := filepath.WalkDir(filepath.Join(repo, folder), visit); err != nil {
			return nil, err
		}
	}
	s.schema = schema.String()
	s.texts = texts.String() + s.schema
	for name, text := range constants {
		if s.logged["const "+name] {
			s.logged[text] = true
		}
	}
	return s, nil
})

// note remembers the message that a call logs, or the metric that it registers.
func (s *said) note(call *ast.CallExpr) {
	var called string
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		called = f.Sel.Name
	case *ast.Ident:
		called = f.Name
	}
	if logs.MatchString(called) {
		for _, argument := range call.Args {
			if name, ok := argument.(*ast.Ident); ok {
				s.logged["const "+name.Name] = true
			}
			s.logged[constant(argument)] = true
		}
	}
	for _, argument := range call.Args {
		if m := byHand.FindStringSubmatch(constant(argument)); m != nil {
			s.metrics[m[1]] = true
		}
	}
	kind := instrument.FindStringSubmatch(called)
	if kind == nil || len(call.Args) == 0 {
		return
	}
	if _, variable := call.Args[0].(*ast.Ident); variable { // in telemetry.NewCounter and the like, whose callers have the name
		return
	}
	name := constant(call.Args[0])
	if sum, ok := call.Args[0].(*ast.BinaryExpr); ok {
		name = "*" + constant(sum.Y)
	}
	name = strings.ReplaceAll(name, ".", "_")
	if strings.HasPrefix(called, "New") { // telemetry's own: the unit of a histogram is its second argument
		if name == "" || len(call.Args) < 2 {
			return
		}
		name += units[constant(call.Args[1])]
	}
	for _, argument := range call.Args[1:] {
		if option, ok := argument.(*ast.CallExpr); ok {
			if of, named := option.Fun.(*ast.SelectorExpr); named && of.Sel.Name == "WithUnit" {
				name += units[constant(option.Args[0])]
			}
		}
	}
	if kind[1] == "Counter" {
		name += "_total"
	}
	s.metrics[name] = true
}

// constant is the text of a literal; "" for anything else.
func constant(e ast.Node) string {
	if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
		if text, err := strconv.Unquote(literal.Value); err == nil {
			return text
		}
	}
	return ""
}

// has reports whether a metric is registered.
func (s *said) has(metric string) bool {
	for name := range s.metrics {
		if end, open := strings.CutPrefix(name, "*"); name == metric || open && strings.HasSuffix(metric, "_"+end) {
			return true
		}
	}
	return false
}

func programsSay(t *testing.T) *said {
	t.Helper()
	s, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	if len(s.metrics) < 25 || len(s.logged) < 50 {
		t.Fatalf("only %d metrics and %d messages of logs were found", len(s.metrics), len(s.logged))
	}
	return s
}

func TestThePageOfMetricsHasAllThatProgramsRegisterAndNoOther(t *testing.T) {
	t.Parallel()
	programs, page := programsSay(t), string(read(t, "docs/monitoring.md"))
	shown := map[string]bool{}
	for _, cells := range rowsUnder(t, page, "metric") {
		for _, name := range quoted(cells[0]) {
			shown[name] = true
			if !strings.HasSuffix(name, "_…") && name != "target_info" && !programs.has(name) {
				t.Errorf("docs/monitoring.md shows %s, which no program registers", name)
			}
		}
	}
	for name := range programs.metrics {
		if !shown[name] && !strings.HasPrefix(name, "*") {
			t.Errorf("docs/monitoring.md does not show %s", name)
		}
	}
}

// Each alert is in the table, with the same data, and leads to a part of the runbook.
func TestThePageOfAlertsHasAllRulesAndNoOther(t *testing.T) {
	t.Parallel()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, For          string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(read(t, "observability/rules.yml"), &rules); err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, cells := range rowsUnder(t, string(read(t, "docs/monitoring.md")), "alert") {
		rows[strings.Trim(cells[0], "` ")] = cells
	}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			cells := rows[rule.Alert]
			delete(rows, rule.Alert)
			page, anchor, _ := strings.Cut(rule.Annotations["runbook"], "#")
			if !anchors(t, page)[anchor] {
				t.Errorf("%s leads to %s, which is not there", rule.Alert, rule.Annotations["runbook"])
			}
			place := strings.TrimPrefix(rule.Annotations["runbook"], "docs/")
			if len(cells) != 4 || cells[1] != cmp.Or(rule.For, "at once") || cells[2] != rule.Labels["severity"] || !strings.Contains(cells[3], "("+place+")") {
				t.Errorf("%s is in docs/monitoring.md as %q", rule.Alert, cells)
			}
		}
	}
	for name := range rows {
		t.Errorf("docs/monitoring.md has an alert %s, and there is none", name)
	}
}

// rowsUnder are the cells of all tables of a page whose first column has this heading.
func rowsUnder(t *testing.T, page, heading string) (rows [][]string) {
	t.Helper()
	within := false
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		switch first := strings.Trim(cells[0], "` "); {
		case !strings.HasPrefix(line, "|"):
			within = false
		case first == heading:
			within = true
		case within && !strings.HasPrefix(first, "---"):
			rows = append(rows, cells)
		}
	}
	if len(rows) < 10 {
		t.Errorf("under %q are only %d rows", heading, len(rows))
	}
	return rows
}

var inLog = regexp.MustCompile("\\b[Ll]ogs?(?: line| says| show)?:? `([^`]+)`")

func TestLinesOfLogsOnThePagesForOperatorsAreThoseThatProgramsWrite(t *testing.T) {
	t.Parallel()
	programs := programsSay(t)
	var lines []string
	for _, cells := range rowsUnder(t, string(read(t, "docs/monitoring.md")), "msg") {
		lines = append(lines, quoted(cells[0])...)
	}
	for _, page := range manuals {
		for _, m := range inLog.FindAllStringSubmatch(strings.ReplaceAll(string(read(t, page)), "\n", " "), -1) {
			lines = append(lines, m[1])
		}
	}
	for _, line := range lines {
		if !programs.logged[line] {
			t.Errorf("no program logs %q", line)
		}
	}
	if len(lines) < 20 {
		t.Errorf("there are only %d lines", len(lines))
	}
}

var (
	request  = regexp.MustCompile(`^(GET|POST|PUT|DELETE) (/\S+)$`)
	sentence = regexp.MustCompile(`^[\pL ,…-]+$`)
	word     = regexp.MustCompile(`[\pL_…][\pL\d_…]+`)
)

// Each name and each text that the pages print like `this` is somewhere in the programs.
func TestWhatThePagesForOperatorsQuoteIsInTheCode(t *testing.T) {
	t.Parallel()
	programs, checked := programsSay(t), 0
	for _, page := range manuals {
		text := fenced.ReplaceAllString(string(read(t, page)), "")
		for _, quote := range quoted(text) {
			checked++
			switch m := request.FindStringSubmatch(quote); {
			case m != nil:
				if !routable(t, m[1], m[2]) {
					t.Errorf("%s: the gateway has no route for %s", page, quote)
				}
			case sentence.MatchString(quote):
				if !contain(programs.texts, quote) && quote != "msg" {
					t.Errorf("%s: no program says %q", page, quote)
				}
			default:
				programs.know(t, page, quote, programs.texts)
			}
		}
	}
	if checked < 200 {
		t.Errorf("only %d quotations", checked)
	}
}

// contain reports whether texts contain a phrase, whatever stands for … in it.
func contain(texts, phrase string) bool {
	return regexp.MustCompile(`\b` + strings.ReplaceAll(regexp.QuoteMeta(phrase), "…", ".+") + `\b`).MatchString(texts)
}

// know checks each word of a piece of a page. It has to be in texts.
func (s *said) know(t *testing.T, page, piece, texts string) {
	t.Helper()
	theirs := slices.Concat(slices.Collect(maps.Values(foreign))...)
	for _, w := range word.FindAllString(piece, -1) {
		if !s.has(w) && !slices.Contains(theirs, w) && !contain(texts, w) {
			t.Errorf("%s: no program knows %s in %q", page, w, piece)
		}
	}
}

var (
	route   = regexp.MustCompile(`\{"(/\S*)", (?:methods\{(.*)\}|token)\},`)
	method  = regexp.MustCompile(`"([A-Z]+)":`)
	segment = regexp.MustCompile(`\{[^}]*\}|\$\w+`)
)

// routable reports whether the gateway has a route for a request.
func routable(t *testing.T, wanted, path string) bool {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	for _, m := range route.FindAllStringSubmatch(string(read(t, "gateway/routes.go")), -1) {
		if segment.ReplaceAllString(m[1], "{}") == segment.ReplaceAllString(path, "{}") {
			return m[2] == "" || slices.ContainsFunc(method.FindAllStringSubmatch(m[2], -1), func(has []string) bool { return has[1] == wanted })
		}
	}
	return false
}

var (
	listing  = regexp.MustCompile("(?s)```(sh|sql)\n(.*?)```")
	address  = regexp.MustCompile(`\$api(/[\w$/-]+)(\?[\w&=.$]+)?`)
	body     = regexp.MustCompile(`'\{.*?\}'`)
	filter   = regexp.MustCompile(`jq (?:-r )?('[^']*'|\.[\w.]+)`)
	names    = regexp.MustCompile(`"\w+":|\.\w+`) // of fields, in both
	remark   = regexp.MustCompile(`(?m)(?:^|\s)(?:#|--) .*$`)
	value    = regexp.MustCompile(`'[^']*'`)
	keywords = regexp.MustCompile(`\b[A-Z]+\b`)
)

// The commands of the runbook ask for what the gateway has, and its statements are about tables and columns that there are.
func TestCommandsOfTheRunbookAreAboutWhatThereIs(t *testing.T) {
	t.Parallel()
	const page = "docs/runbook.md"
	programs, asked, statements := programsSay(t), 0, 0
	for _, m := range listing.FindAllStringSubmatch(string(read(t, page)), -1) {
		text := remark.ReplaceAllString(strings.ReplaceAll(m[2], "\\\n", " "), "")
		if m[1] == "sql" {
			statements++
			programs.know(t, page, strings.Join(value.FindAllString(text, -1), " "), programs.texts)
			programs.know(t, page, keywords.ReplaceAllString(value.ReplaceAllString(text, ""), ""), programs.schema)
			continue
		}
		text = strings.ReplaceAll(text, "$letters", "$api/api/operations/dead-letters")
		for line := range strings.Lines(text) {
			for _, a := range address.FindAllStringSubmatch(line, -1) {
				asked++
				verb := "GET"
				if strings.Contains(line, "-X POST") || strings.Contains(line, "/oauth/token") {
					verb = "POST"
				}
				if !routable(t, verb, a[1]) {
					t.Errorf("%s: the gateway has no route for %s %s", page, verb, a[1])
				}
				programs.know(t, page, a[2], programs.texts)
			}
			for _, json := range append(body.FindAllString(line, -1), filter.FindAllString(line, -1)...) {
				programs.know(t, page, strings.Join(names.FindAllString(json, -1), " "), programs.texts)
			}
		}
	}
	if asked < 10 || statements < 2 {
		t.Errorf("only %d requests and %d statements", asked, statements)
	}
}
