package observability

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"go.yaml.in/yaml/v3"
)

// scenario is a test in rules_test.yml, in the format of `promtool test rules`. promtool itself cannot be imported, and to build it
// takes longer than all our tests of alerts.
type scenario struct {
	Name        string
	Interval    model.Duration
	InputSeries []struct{ Series, Values string } `yaml:"input_series"`
	Tests       []struct {
		EvalTime  model.Duration `yaml:"eval_time"`
		Alertname string
		Expected  []struct {
			Labels      map[string]string `yaml:"exp_labels"`
			Annotations map[string]string `yaml:"exp_annotations"`
		} `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test"`
}

func scenarios(t testing.TB) []scenario {
	t.Helper()
	text, err := os.ReadFile(file("rules_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Tests []scenario }
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all.Tests
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			s.play(t)
		})
	}
}

// play evaluates all rules again and again, and compares the alerts that fire at the times of the tests.
func (s scenario) play(t *testing.T) {
	t.Helper()
	load := fmt.Sprintf("load %s\n", s.Interval)
	var last time.Duration
	for _, series := range s.InputSeries {
		load += "  " + series.Series + " " + series.Values + "\n"
	}
	for _, test := range s.Tests {
		last = max(last, time.Duration(test.EvalTime))
	}
	data, err := promqltest.NewLazyLoader(load, promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true})
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close() //nolint:errcheck // it is in memory
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc: rules.EngineQueryFunc(data.QueryEngine(), data.Storage()), Appendable: data.Storage(), Queryable: data.Storage(),
		Context: t.Context(), Logger: promslog.NewNopLogger(), Parser: query, NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
	})
	groups, errs := manager.LoadGroups(time.Duration(s.Interval), labels.EmptyLabels(), "", nil, false, file("rules.yml"))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for at := time.Duration(0); at <= last; at += time.Duration(s.Interval) {
		now := time.Unix(0, 0).UTC().Add(at)
		data.WithSamplesTill(now, func(err error) {
			if err != nil {
				t.Fatal(err)
			}
			for _, group := range groups {
				group.Eval(t.Context(), now)
			}
		})
		for _, test := range s.Tests {
			if time.Duration(test.EvalTime) != at {
				continue
			}
			var want []string
			for _, e := range test.Expected {
				e.Labels["alertname"] = test.Alertname
				want = append(want, fmt.Sprint(e.Labels, e.Annotations))
			}
			if got := firing(groups, test.Alertname); !slices.Equal(got, want) {
				t.Errorf("%s after %s:\n%s\nwant:\n%s", test.Alertname, test.EvalTime, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

// firing are the alerts of a rule that fire.
func firing(groups map[string]*rules.Group, name string) (all []string) {
	for _, group := range groups {
		for _, rule := range group.AlertingRules() {
			for _, alert := range rule.ActiveAlerts() {
				if rule.Name() == name && alert.State == rules.StateFiring {
					all = append(all, fmt.Sprint(alert.Labels.Map(), alert.Annotations.Map()))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// Each alert has a test in which it fires, and one in which it does not, although something has happened.
func TestEachAlertHasItsTest(t *testing.T) {
	t.Parallel()
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, s := range scenarios(t) {
		for _, test := range s.Tests {
			fires[test.Alertname] = fires[test.Alertname] || len(test.Expected) > 0
			silent[test.Alertname] = silent[test.Alertname] || len(test.Expected) == 0
		}
	}
	known := alerts(t)
	for name := range known {
		if !fires[name] || !silent[name] {
			t.Errorf("%s: rules_test.yml says when it fires: %t, and when it does not: %t", name, fires[name], silent[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fires)) {
		if known[name].Alert == "" {
			t.Errorf("rules_test.yml has an alert %s, and rules.yml has none", name)
		}
	}
}
