package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/outgoing"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// program is a process that the console checks, at its own address. It is not called with a client with breakers and retries,
// because these would hide its state.
type program struct {
	Name, Address string
	Owns          bool // it is a service, with data and an outbox
}

// programs returns the processes behind the addresses in the settings, each replica separately.
func (s *site) programs(ctx context.Context) (all []program) {
	for _, n := range s.watched {
		owns := slices.ContainsFunc(s.services, func(o upstream) bool { return o.name == n.name })
		replicas := n.client.Replicas(ctx)
		if len(replicas) == 0 { // its name resolves to no address: it is shown all the same
			all = append(all, program{n.name, "", owns})
		}
		for _, address := range replicas {
			all = append(all, program{n.name, address, owns})
		}
	}
	return all
}

// health is the state of a process, as it reports it.
type health struct {
	program
	State    string   // ready, draining, not ready, away
	Away     *absence // set if it does not answer
	RabbitMQ string   // connected, away, or empty: it needs none
	Outbox   string   // messages to be published; empty: it has no outbox
	Troubled bool     // the broker has refused a message of the outbox
	Breakers []string
	Metrics  bool // its metrics could be read; otherwise outbox and breakers are not known
	samples  []sample
}

// underWay returns how many orders are in each status; nil if no replica of orders reports it, as without its database.
func underWay(programs []health) (counts map[string]int) {
	for _, p := range programs { // one replica is enough: they all count the same database
		if _, told := p.value("orders_need_attention"); !told { // always reported together with the other counts
			continue
		}
		counts = map[string]int{}
		for _, m := range p.samples {
			if m.name == "orders_under_way" {
				counts[m.labels["status"]] = int(m.value)
			}
		}
	}
	return counts
}

// value returns a metric that has no labels.
func (h health) value(name string) (value float64, told bool) {
	i := slices.IndexFunc(h.samples, func(m sample) bool { return m.name == name })
	if i < 0 {
		return 0, false
	}
	return h.samples[i].value, true
}

// outbox returns the messages that wait in the outbox of a program, how many of them the broker has refused, and the age of
// the oldest.
func (h health) outbox() (due, refused int, oldest time.Duration, told bool) {
	waiting, told := h.value("outbox_due")
	unroutable, _ := h.value("outbox_refused")
	seconds, _ := h.value("outbox_oldest_seconds")
	return int(waiting), int(unroutable), time.Duration(seconds * float64(time.Second)), told
}

// ages returns the age of the messages in each queue: the highest that any of its consumers reports.
func ages(programs []health) map[string]time.Duration {
	all := map[string]time.Duration{}
	for _, p := range programs {
		for _, m := range p.samples {
			if m.name == "bus_queue_age_seconds" {
				queue := m.labels["queue"]
				all[queue] = max(all[queue], time.Duration(m.value*float64(time.Second)))
			}
		}
	}
	return all
}

const (
	probeTimeout = 1500 * time.Millisecond
	probeMost    = 4 << 20
)

var prober = &http.Client{Timeout: probeTimeout, Transport: outgoing.Direct()}

// checkUp checks all programs at the same time.
func (s *site) checkUp(ctx context.Context) []health {
	programs := s.programs(ctx)
	all := make([]health, len(programs))
	var asking sync.WaitGroup
	for i, p := range programs {
		asking.Go(func() {
			var err error
			all[i], err = p.checkUp(ctx)
			all[i].Away = s.absences.of(p.Name+" "+p.Address, err, time.Now())
		})
	}
	asking.Wait()
	return all
}

var errNoAddress = fault.New(fault.Unavailable, "its name has no address")

// checkUp returns the state of a program. The error says why it does not report one.
func (p program) checkUp(ctx context.Context) (health, error) {
	h := health{program: p, State: "away"}
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
	for _, m := range samples(text) {
		if m.name == "client_breaker_open" && m.value > 0 {
			h.Breakers = append(h.Breakers, m.labels["upstream"]+" at "+m.labels["replica"])
		}
		h.samples = append(h.samples, m)
	}
	due, refused, oldest, owns := h.outbox()
	if owns {
		h.Outbox = "empty"
	}
	if due > 0 {
		h.Outbox = fmt.Sprintf("%d, the oldest for %s", due, oldest.Round(time.Second))
	}
	if h.Troubled = refused > 0; h.Troubled {
		h.Outbox += fmt.Sprintf("; %d refused by the broker", refused)
	}
	h.Metrics = len(h.samples) > 0
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

// sample is a number of the Prometheus text format.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// samples returns the gauges and counters, and how many values each histogram has, that can be read before the text ends or makes
// no sense.
func samples(text []byte) (all []sample) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, _ := parser.TextToMetricFamilies(bytes.NewReader(text)) // after an error these are the ones before it
	for name, family := range families {
		for _, m := range family.GetMetric() {
			s := sample{name, map[string]string{}, cmp.Or(m.GetGauge().GetValue(), m.GetCounter().GetValue(), m.GetUntyped().GetValue())}
			if h := m.GetHistogram(); h != nil {
				s.name, s.value = name+"_count", float64(h.GetSampleCount())
			}
			for _, l := range m.GetLabel() {
				s.labels[l.GetName()] = l.GetValue()
			}
			all = append(all, s)
		}
	}
	return all
}
