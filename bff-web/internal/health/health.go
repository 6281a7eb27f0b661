// Package health checks the programs of the system, each at its own address.
package health

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/outgoing"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Program is a process that the console checks, at its own address. It is not called with a client with breakers and retries,
// because these would hide its state.
type Program struct {
	Name, Address string
	Owns          bool // it is a service, with data and an outbox
}

// Checker checks all programs that have an address in the settings.
type Checker struct {
	Services, Watched []upstream.Service // all services; what the console shows: these, and the gateway if it can be checked
	Broker            *bus.Broker        // nil without RABBITMQ_URL
	Absences          *upstream.Absences
}

// programs returns the processes behind the addresses in the settings, each replica separately.
func (s *Checker) programs(ctx context.Context) (all []Program) {
	for _, n := range s.Watched {
		owns := slices.ContainsFunc(s.Services, func(o upstream.Service) bool { return o.Name == n.Name })
		replicas := n.Client.Replicas(ctx)
		if len(replicas) == 0 { // its name resolves to no address: it is shown all the same
			all = append(all, Program{n.Name, "", owns})
		}
		for _, address := range replicas {
			all = append(all, Program{n.Name, address, owns})
		}
	}
	return all
}

// Health is the state of a process, as it reports it.
type Health struct {
	Program
	State    string            // ready, draining, not ready, away
	Away     *upstream.Absence // set if it does not answer
	RabbitMQ string            // connected, away, or empty: it needs none
	Outbox   string            // messages to be published; empty: it has no outbox
	Troubled bool              // the broker has refused a message of the outbox
	Breakers []string
	Metrics  bool // its metrics could be read; otherwise outbox and breakers are not known
	Samples  []Sample
}

// UnderWay returns how many orders are in each status; nil if no replica of orders reports it, as without its database.
func UnderWay(programs []Health) (counts map[string]int) {
	for _, p := range programs { // one replica is enough: they all count the same database
		if _, told := p.value("orders_need_attention"); !told { // always reported together with the other counts
			continue
		}
		counts = map[string]int{}
		for _, m := range p.Samples {
			if m.Name == "orders_under_way" {
				counts[m.Labels["status"]] = int(m.Value)
			}
		}
	}
	return counts
}

// Told returns the samples of a metric, each with the program that reports it.
func Told(programs []Health, name string) iter.Seq2[Health, Sample] {
	return func(yield func(Health, Sample) bool) {
		for _, p := range programs {
			for _, m := range p.Samples {
				if m.Name == name && !yield(p, m) {
					return
				}
			}
		}
	}
}

// value returns a metric that has no labels.
func (h Health) value(name string) (value float64, told bool) {
	i := slices.IndexFunc(h.Samples, func(m Sample) bool { return m.Name == name })
	if i < 0 {
		return 0, false
	}
	return h.Samples[i].Value, true
}

// Unpublished returns the messages that wait in the outbox of a program, how many of them the broker has refused, and the age of
// the oldest.
func (h Health) Unpublished() (due, refused int, oldest time.Duration, told bool) {
	waiting, told := h.value("outbox_due")
	unroutable, _ := h.value("outbox_refused")
	seconds, _ := h.value("outbox_oldest_seconds")
	return int(waiting), int(unroutable), time.Duration(seconds * float64(time.Second)), told
}

// Ages returns the age of the messages in each queue: the highest that any of its consumers reports.
func Ages(programs []Health) map[string]time.Duration {
	all := map[string]time.Duration{}
	for _, m := range Told(programs, "bus_queue_age_seconds") {
		queue := m.Labels["queue"]
		all[queue] = max(all[queue], time.Duration(m.Value*float64(time.Second)))
	}
	return all
}

const (
	probeTimeout = 1500 * time.Millisecond
	probeMost    = 4 << 20
)

var prober = &http.Client{Timeout: probeTimeout, Transport: outgoing.Direct()}

// CheckUp checks all programs at the same time.
func (s *Checker) CheckUp(ctx context.Context) []Health {
	programs := s.programs(ctx)
	all := make([]Health, len(programs))
	var asking sync.WaitGroup
	for i, p := range programs {
		asking.Go(func() {
			var err error
			all[i], err = p.CheckUp(ctx)
			all[i].Away = s.Absences.Of(p.Name+" "+p.Address, err, time.Now())
		})
	}
	asking.Wait()
	return all
}

var errNoAddress = fault.New(fault.Unavailable, "its name has no address")

// CheckUp returns the state of a program. The error says why it does not report one.
func (p Program) CheckUp(ctx context.Context) (Health, error) {
	h := Health{Program: p, State: "away"}
	if p.Address == "" {
		return h, errNoAddress
	}
	text, err := fetch(ctx, p.Address+"/readyz")
	if err != nil {
		return h, fault.New(fault.Unavailable, "it does not answer").Because(err)
	}
	var ready struct {
		Status   string `json:"status"`
		RabbitMQ *bool  `json:"rabbitmq_connected"`
	}
	if err := json.Unmarshal(text, &ready); err != nil || ready.Status == "" {
		return h, fault.New(fault.BadGateway, "it answers what cannot be read").Because(err)
	}
	if h.State = ready.Status; ready.RabbitMQ != nil {
		if h.RabbitMQ = "away"; *ready.RabbitMQ {
			h.RabbitMQ = "connected"
		}
	}
	text, err = fetch(ctx, p.Address+"/metrics")
	if err != nil {
		return h, nil //nolint:nilerr // its state is known
	}
	for _, m := range Samples(text) {
		if m.Name == "client_breaker_open" && m.Value > 0 {
			h.Breakers = append(h.Breakers, m.Labels["upstream"]+" at "+m.Labels["replica"])
		}
		h.Samples = append(h.Samples, m)
	}
	due, refused, oldest, owns := h.Unpublished()
	if owns {
		h.Outbox = "empty"
	}
	if due > 0 {
		h.Outbox = fmt.Sprintf("%d, the oldest for %s", due, oldest.Round(time.Second))
	}
	if h.Troubled = refused > 0; h.Troubled {
		h.Outbox += fmt.Sprintf("; %d refused by the broker", refused)
	}
	h.Metrics = len(h.Samples) > 0
	return h, nil
}

// fetch returns a body whatever the status is, because a program that is not ready says why.
func fetch(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := prober.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }() // no error matters any more: the body has been read
	return io.ReadAll(io.LimitReader(answer.Body, probeMost))
}

// Sample is a number of the Prometheus text format.
type Sample struct {
	Name   string
	Labels map[string]string
	Value  float64
}

// Samples returns the gauges and counters, and how many values each histogram has, that can be read before the text ends or makes
// no sense.
func Samples(text []byte) (all []Sample) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, _ := parser.TextToMetricFamilies(bytes.NewReader(text)) // after an error these are the ones before it
	for name, family := range families {
		for _, m := range family.GetMetric() {
			s := Sample{name, map[string]string{}, cmp.Or(m.GetGauge().GetValue(), m.GetCounter().GetValue(), m.GetUntyped().GetValue())}
			if h := m.GetHistogram(); h != nil {
				s.Name, s.Value = name+"_count", float64(h.GetSampleCount())
			}
			for _, l := range m.GetLabel() {
				s.Labels[l.GetName()] = l.GetValue()
			}
			all = append(all, s)
		}
	}
	return all
}

// Why something is not known.
var (
	ErrNoBroker  = fault.New(fault.Unavailable, "this program has no RABBITMQ_URL")
	ErrUncounted = fault.New(fault.Unavailable, "no replica of orders tells it")
)

// Itself returns the health of this process, which works well enough to show the page.
func (s *Checker) Itself() Health {
	h := Health{Program: Program{Name: upstream.Self, Address: "this page's"}, State: "ready", Metrics: true}
	if s.Broker != nil {
		if h.RabbitMQ = "away"; s.Broker.Connected() {
			h.RabbitMQ = "connected"
		}
	}
	return h
}
