package observability

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/dns"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"go.yaml.in/yaml/v3"

	"example.com/orderflow/local/system"
)

const (
	// faster is by how much the time of the rules runs faster in this test: a rule's "for" of five minutes is ten seconds. Numbers of
	// seconds to which something is compared shrink as well.
	faster = 30
	every  = time.Second // between two scrapes, and two evaluations of the rules
)

// prometheus scrapes a running system, with Prometheus's own scraper, database and rules.
type prometheus struct {
	db    *tsdb.DB
	rules *rules.Manager
}

// watch watches a system until the test ends.
func watch(t testing.TB, s *system.System) *prometheus {
	t.Helper()
	silent := promslog.NewNopLogger()
	db, err := tsdb.Open(t.TempDir(), silent, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	scraper, err := scrape.NewManager(&scrape.Options{DiscoveryReloadInterval: model.Duration(every)}, silent, nil, db, nil, prom.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 10_000_000, Timeout: time.Minute, Parser: query})
	p := &prometheus{db: db, rules: rules.NewManager(&rules.ManagerOptions{
		QueryFunc: rules.EngineQueryFunc(engine, db), Appendable: db, Queryable: db, Context: t.Context(), Logger: silent, Parser: query,
		ExternalURL: &url.URL{}, NotifyFunc: rules.NotifyFunc(func(context.Context, string, ...*rules.Alert) {}),
	})}

	c := configured(t, composed(t))
	c.GlobalConfig.ScrapeInterval = model.Duration(every)
	for _, job := range c.ScrapeConfigs {
		job.ScrapeInterval, job.ScrapeTimeout = model.Duration(every), model.Duration(every)
	}
	if err := scraper.ApplyConfig(c); err != nil {
		t.Fatal(err)
	}
	if err := p.rules.Update(every, []string{hastened(t)}, labels.EmptyLabels(), "", nil); err != nil {
		t.Fatal(err)
	}
	sets, stop := make(chan map[string][]*targetgroup.Group), make(chan struct{})
	var parts sync.WaitGroup
	parts.Go(func() {
		for {
			select {
			case sets <- discovered(t, s, c.ScrapeConfigs):
			case <-stop:
				return
			}
			select {
			case <-time.After(every):
			case <-stop:
				return
			}
		}
	})
	parts.Go(func() {
		if err := scraper.Run(sets); err != nil {
			t.Error(err)
		}
	})
	parts.Go(p.rules.Run)
	t.Cleanup(func() {
		close(stop)
		p.rules.Stop()
		scraper.Stop()
		parts.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// discovered is what Prometheus's discovery would find now. DNS has the names of containers that run; the other targets have an
// address whether they run or not. The exporter of PostgreSQL's metrics, the collector and Prometheus itself do not run here.
func discovered(t testing.TB, s *system.System, jobs []*config.ScrapeConfig) map[string][]*targetgroup.Group {
	found := map[string][]*targetgroup.Group{}
	for _, job := range jobs {
		group := &targetgroup.Group{Source: job.JobName}
		add := func(name, address string) {
			u, err := url.Parse(address)
			if err != nil {
				t.Error(err)
				return
			}
			group.Targets = append(group.Targets, model.LabelSet{model.AddressLabel: model.LabelValue(u.Host), "__meta_dns_name": model.LabelValue(name)})
		}
		switch job.JobName {
		case "programs":
			for _, name := range names(job) {
				for _, p := range s.Named(strings.TrimSuffix(name, "-admin")) {
					if p.State() == "stopped" {
						continue
					}
					if name == "gateway-admin" {
						add(name, s.AdminURL)
					} else {
						add(name, p.URL)
					}
				}
			}
		case "rabbitmq", "rabbitmq-queues":
			add("", s.RabbitMetrics)
		case "postgres", "otel-collector", "prometheus":
		default:
			t.Errorf("prometheus.yml: nothing here is %s", job.JobName)
		}
		found[job.JobName] = []*targetgroup.Group{group}
	}
	return found
}

// names are those that a job looks up by DNS.
func names(job *config.ScrapeConfig) (all []string) {
	for _, c := range job.ServiceDiscoveryConfigs {
		if c, ok := c.(*dns.SDConfig); ok {
			all = append(all, c.Names...)
		}
	}
	return all
}

// hastened writes the alert rules with the time running faster.
func hastened(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(file("rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var all rulefmt.RuleGroups
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, group := range all.Groups {
		for i := range group.Rules {
			rule := &group.Rules[i]
			rule.For /= faster
			expr, err := query.ParseExpr(rule.Expr)
			if err != nil {
				t.Fatal(err)
			}
			hasten(expr)
			rule.Expr = expr.String()
		}
	}
	if text, err = yaml.Marshal(all); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// hasten makes the ranges of an expression shorter, and the ages to which it compares something. Those are at least a minute.
func hasten(expr parser.Expr) {
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.MatrixSelector:
			node.Range /= faster
		case *parser.BinaryExpr:
			if number, ok := node.RHS.(*parser.NumberLiteral); ok && number.Val >= 60 {
				number.Val /= faster
			}
		}
		return nil
	})
}

// fires reports whether an alert fires now.
func (p *prometheus) fires(name string) bool {
	for _, rule := range p.rules.AlertingRules() {
		if rule.Name() == name {
			return rule.State() == rules.StateFiring
		}
	}
	panic(fmt.Sprintf("there is no alert %s", name))
}
