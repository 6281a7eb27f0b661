package backstage

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/health"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
)

// traffic counts what has moved since somebody looks: messages, as the wire tap has seen them and as the queues have become
// longer or shorter, and calls over HTTP, as the programs report them.
type traffic struct {
	services []string
	listens  func(kind string) bool // whether this process gets a copy of an event

	mu     sync.Mutex
	heard  bool                      // the tap has seen something
	moves  map[string]moved          // by move
	steps  int                       // all moves together
	at     map[string]int            // what has come to each place
	levels map[string]*level         // by queue
	takes  map[string][]string       // by kind: the queues that get it
	calls  map[string]float64        // by program, upstream and outcome: the counters of the last look
	asked  map[string]bool           // the programs of the last look
	past   [rateSlots]map[string]int // the values of at, the latest first
	times  [rateSlots]time.Time
}

// moved is how often something has moved, and when it did so last: the number of moves until then.
type moved struct{ times, last int }

// level is how many messages are in a queue, and how many have come and gone. The tap and the look at the queue are never of the
// same moment. So what has gone is the difference of sums, in which one late message is not counted twice.
type level struct {
	came, taken, ready, base int
	still                    bool // nothing has come since the last look
}

const (
	rateSlot  = queuesEvery - 50*time.Millisecond // the least time between two values
	rateSlots = 12                                // a rate is that of the last six seconds, in which all programs are asked three times
	movesMost = 1000                              // kinds come from senders; a sender that invents them must not use up the memory
)

// kindForm is the form of a kind that may be shown beside a message.
var kindForm = regexp.MustCompile(`^[a-z_]+\.[a-z_]+$`)

// undoing are the kinds that belong to a compensation.
var undoing = []string{
	messages.ReleaseStock{}.Kind(), messages.StockReleased{}.Kind(), messages.RefundPayment{}.Kind(), messages.PaymentRefunded{}.Kind(),
	messages.CancelShipment{}.Kind(), messages.ShipmentCancelled{}.Kind(), messages.CancellationRefused{}.Kind(), messages.OrderCancelled{}.Kind(),
}

func newTraffic(services []string, listens func(string) bool) *traffic {
	return &traffic{
		services: services, listens: listens, moves: map[string]moved{}, at: map[string]int{}, levels: map[string]*level{},
		takes: map[string][]string{}, calls: map[string]float64{}, asked: map[string]bool{},
	}
}

// move is a way through the picture, from place to place, with what moves there (a command, an event, …) and its name. The
// script of the page reads it.
func move(what, name string, places ...string) string {
	return ">" + strings.Join(places, " ") + "|" + what + "|" + name
}

func (t *traffic) count(n int, what, name string, places ...string) {
	key := move(what, name, places...)
	if now, known := t.moves[key]; known || len(t.moves) < movesMost {
		t.steps++
		t.moves[key] = moved{now.times + n, t.steps}
	}
	for _, place := range places[1:] {
		t.at[place] += n
	}
}

// pass counts messages that the wire tap has seen.
func (t *traffic) pass(batch []bus.Passage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = true
	for _, p := range batch {
		what, name := whatIs(p), ""
		if kindForm.MatchString(p.Kind) {
			_, name, _ = strings.Cut(p.Kind, ".")
		}
		service, _, _ := strings.Cut(p.Queue, ".")
		switch p.Way {
		case bus.Sent:
			t.sent(p, what, name)
		case bus.Delayed:
			t.count(1, what, name, service, service+".retry")
		case bus.GivenUp:
			t.count(1, "dead", name, service, service+".dead")
		case bus.Back:
			from := service + ".retry"
			if p.By != "" {
				from = service + ".dead"
			}
			t.count(1, what, name, from, p.Queue)
			t.came(p.Queue)
		}
	}
}

// sent counts a message on its way to each place that gets a copy.
func (t *traffic) sent(p bus.Passage, what, name string) {
	if !slices.Contains(t.services, p.Source) {
		return
	}
	rail := railOf(p.Exchange)
	goals := t.takes[p.Kind]
	if owner, _, _ := strings.Cut(p.Kind, "."); p.Exchange == bus.Commands && slices.Contains(t.services, owner) {
		goals = []string{bus.Queue{Service: owner, Exchange: bus.Commands}.Name()}
	}
	for _, queue := range goals {
		t.count(1, what, name, p.Source, rail, queue)
		t.came(queue)
	}
	switch listens := p.Exchange == bus.Events && t.listens(p.Kind); {
	case listens:
		t.count(1, what, name, p.Source, rail, "bff-web")
	case len(goals) == 0:
		t.count(1, what, name, p.Source, rail)
	}
}

func railOf(exchange string) string {
	if exchange == bus.Commands {
		return "commands"
	}
	return "events"
}

func whatIs(p bus.Passage) string {
	switch {
	case slices.Contains(undoing, p.Kind):
		return "undo"
	case p.Exchange == bus.Commands || strings.HasSuffix(p.Queue, ".commands"):
		return "command"
	}
	return "event"
}

func (t *traffic) came(queue string) {
	if l := t.levels[queue]; l != nil {
		l.came++
		l.still = false
	}
}

// queues counts the messages that consumers have taken: those that were there or came, and are not there any more.
func (t *traffic) queues(states map[string]bus.QueueState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for queue, s := range states {
		service, kind, _ := strings.Cut(queue, ".")
		if kind != "commands" && kind != "events" {
			continue
		}
		l := t.levels[queue]
		if l == nil {
			t.levels[queue] = &level{ready: s.Ready, base: s.Ready}
			continue
		}
		if n := l.base + l.came - s.Ready - l.taken; n > 0 && s.Consumers > 0 {
			t.count(n, strings.TrimSuffix(kind, "s"), "", queue, service)
			l.taken += n
		}
		if !t.heard || l.still && l.ready == s.Ready { // the sums start anew, so that a message that the tap has missed is forgotten
			l.base = l.taken + s.Ready - l.came
		}
		l.ready, l.still = s.Ready, true
	}
}

// programs counts the calls over HTTP since the last look, and learns which kinds each queue gets.
func (t *traffic) programs(all []health.Health) {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked := map[string]bool{}
	for _, p := range all {
		if !p.Metrics {
			continue
		}
		asked[p.Address] = true
		for key, sum := range callCounts(p) {
			full := p.Address + move(key.what(), "", key.from, key.to)
			before, known := t.calls[full]
			if n := int(sum - before); n > 0 && (known || t.asked[p.Address]) {
				t.count(n, key.what(), "", key.from, key.to)
			}
			t.calls[full] = sum
		}
		for _, m := range p.Samples {
			if kind, queue := m.Labels["kind"], m.Labels["queue"]; m.Name == "bus_handled_total" && kind != "" && !slices.Contains(t.takes[kind], queue) {
				t.takes[kind] = append(t.takes[kind], queue)
			}
		}
	}
	t.asked = asked
}

// outcome is what a program counts: its calls of an upstream that ended in one way.
type outcome struct {
	from, to string
	failed   bool
}

func (o outcome) what() string {
	if o.failed {
		return "failed"
	}
	return "call"
}

// callCounts returns the calls of a program, and those that came to the gateway. The upstream of a call follows from the
// breakers, which have the address of each replica.
func callCounts(h health.Health) map[outcome]float64 {
	upstream, sums := map[string]string{}, map[outcome]float64{}
	for _, m := range h.Samples {
		if m.Name == "client_breaker_open" {
			upstream[m.Labels["replica"]] = m.Labels["upstream"]
		}
	}
	for _, m := range h.Samples {
		status := m.Labels["http_response_status_code"]
		failed := status == "" || status >= "500"
		switch {
		case m.Name == "http_client_request_duration_seconds_count":
			replica := m.Labels["server_address"]
			if port := m.Labels["server_port"]; port != "" {
				replica += ":" + port
			}
			if to := upstream[replica]; to != "" {
				sums[outcome{h.Name, to, failed}] += m.Value
			}
		case m.Name == "http_server_request_duration_seconds_count" && h.Name == "gateway":
			sums[outcome{"browser", "gateway", failed}] += m.Value
		}
	}
	return sums
}

// tell returns the moves, what has come to each place, and how much of it has come in each second lately.
func (t *traffic) tell(now time.Time) (moves map[string]moved, at map[string]int, rates map[string]float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.times[0]) >= rateSlot {
		copy(t.past[1:], t.past[:])
		copy(t.times[1:], t.times[:])
		t.past[0], t.times[0] = maps.Clone(t.at), now
	}
	rates = map[string]float64{}
	for i := rateSlots - 1; i >= 0; i-- {
		if took := now.Sub(t.times[i]).Seconds(); t.past[i] != nil && took > 0 {
			for place, n := range t.at {
				rates[place] = float64(n-t.past[i][place]) / took
			}
			break
		}
	}
	return maps.Clone(t.moves), maps.Clone(t.at), rates
}
