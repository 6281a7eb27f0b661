package backstage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/bff-web/internal/health"
	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/bus"
)

// frame is what the picture shows: a text, a state or a shape for each thing that can change, by its name. The page has the
// same names at its elements, so its script only puts the values where they belong.
type frame map[string]string

// outlook is what was seen last.
type outlook struct {
	services []string
	tapped   bool
	traffic  *traffic
	programs []health.Health           // nil: they were not asked yet
	queues   map[string]bus.QueueState // nil: the same
	unasked  *upstream.Absence         // why the queues could not be asked
	alone    map[string]time.Time      // by queue: since when messages wait in it without a consumer, as far as it was seen
	looked   time.Time                 // at the queues
}

func newOutlook(services []string, listens func(string) bool, tapped bool) *outlook {
	return &outlook{services: services, tapped: tapped, traffic: newTraffic(services, listens), alone: map[string]time.Time{}}
}

func (s *outlook) whole() bool { return s.programs != nil && (s.queues != nil || s.unasked != nil) }

func (s *outlook) sawQueues(states map[string]bus.QueueState, away *upstream.Absence, now time.Time) {
	s.unasked, s.looked = away, now
	if away != nil {
		return
	}
	s.queues = states
	for name, q := range states {
		if _, known := s.alone[name]; q.Ready == 0 || q.Consumers > 0 {
			delete(s.alone, name)
		} else if !known {
			s.alone[name] = now
		}
	}
}

// queuesOf returns the names of all queues of some services.
func queuesOf(services []string) (names []string) {
	for _, service := range services {
		for _, exchange := range []string{bus.Commands, bus.Events} {
			names = append(names, bus.Queue{Service: service, Exchange: exchange}.Around()...)
		}
	}
	return names
}

const unseen = "?" // stands for what is not known

func (s *outlook) frame(now time.Time) frame {
	f := frame{}
	of := map[string][]health.Health{}
	for _, p := range s.programs {
		of[p.Name] = append(of[p.Name], p)
	}
	var alone bool
	of[upstream.Self], alone = selves(of[upstream.Self], of["gateway"])
	var away []string
	for _, name := range slices.Concat([]string{"gateway"}, s.services, []string{upstream.Self}) {
		if state := f.program(name, of[name], now); state != "ready" && state != "unknown" {
			away = append(away, name)
		}
	}
	if alone && f[upstream.Self+".state"] == "ready" {
		f[upstream.Self+".replicas"] = "this one is ready"
	}
	f.breakers(s.programs)
	f.orders(s.programs)
	waiting := s.bus(f, now)
	for _, service := range s.services {
		if n := f.outbox(service, of[service]); n > 0 {
			waiting = append(waiting, fmt.Sprintf("%d in the outbox of %s", n, service))
		}
	}
	if s.unasked != nil {
		away = append(away, "RabbitMQ")
	}
	s.move(f, now)
	f["summary"], f["summary.state"] = "All programs are ready.", "ready"
	switch {
	case !s.whole():
		f["summary"], f["summary.state"] = "Not everything has answered yet.", "unknown"
	case len(away) > 0:
		f["summary"], f["summary.state"] = "In trouble: "+strings.Join(away, ", ")+".", "away"
	}
	f["waiting"] = ""
	if len(waiting) > 0 {
		f["waiting"] = "Waiting: " + strings.Join(waiting, ", ") + "."
	}
	return f
}

// selves adds the other replicas of this program to this one. It does not know them, but a gateway does, which calls them: one that
// gives it no answer, so that its breaker is open, is away. Without a gateway that tells it, this one is alone.
func selves(this, gateways []health.Health) (all []health.Health, alone bool) {
	silent := map[string]bool{} // by replica
	for _, m := range health.Told(gateways, "client_breaker_open") {
		if replica := m.Labels["replica"]; m.Labels["upstream"] == upstream.Self {
			silent[replica] = silent[replica] || m.Value > 0
		}
	}
	if len(this) == 0 || len(silent) == 0 {
		return this, true
	}
	away := 0
	for _, is := range silent {
		if is {
			away++
		}
	}
	all = this
	for i := range len(silent) - 1 { // which of them is this one, nobody says; it answers
		other := health.Health{Program: health.Program{Name: upstream.Self}, State: "ready"}
		if i < away {
			other.State = "away"
		}
		all = append(all, other)
	}
	return all, false
}

// program shows the replicas of a program, and returns the state of them all.
func (f frame) program(name string, replicas []health.Health, now time.Time) (state string) {
	n := map[string]int{}
	var why []string
	for _, p := range replicas {
		n[p.State]++
		switch {
		case p.Away != nil:
			why = append(why, "no answer for "+aged(now.Sub(p.Away.Since)))
		case p.State != "ready":
			why = append(why, p.State)
		case p.RabbitMQ == "away":
			why = append(why, "without RabbitMQ")
		}
	}
	switch all := len(replicas); {
	case all == 0: // not asked yet, or not one of those that can be asked
		state = "unknown"
	case n["ready"] == all:
		state = "ready"
	case n["away"]+n["not ready"] == all:
		state = "away"
	default:
		state = "part"
	}
	f[name+".state"] = state
	f[name+".replicas"], f[name+".breakers"] = unseen, "–"
	if state != "unknown" {
		f[name+".replicas"] = fmt.Sprintf("%d of %d ready", n["ready"], len(replicas))
	}
	f[name+".why"] = ""
	if len(why) > 0 {
		f[name+".why"] = why[0]
	}
	at := 0
	for _, state := range []string{"away", "part", "ready"} { // what is wrong comes first: there is room for some only
		count := n[state]
		switch state {
		case "away":
			count += n["not ready"]
		case "part":
			count = n["draining"]
		}
		count = min(count, replicasMost-at)
		f[name+".boxes."+state] = squares(at, count)
		at += count
	}
	f[name+".database"] = "unknown"
	if n["ready"] > 0 {
		f[name+".database"] = "ready"
	} else if n["not ready"] > 0 { // it is the only reason for a service that runs not to be ready
		f[name+".database"] = "away"
	}
	return state
}

// outbox shows the messages that wait for the relay, and returns how many. All replicas count the same table.
func (f frame) outbox(service string, replicas []health.Health) int {
	f[service+".outbox"], f[service+".outbox.pile"], f[service+".outbox.age"], f[service+".outbox.state"] = unseen, "", "", "unknown"
	for _, p := range replicas {
		due, refused, oldest, told := p.Unpublished()
		if !told {
			continue
		}
		f[service+".outbox"], f[service+".outbox.pile"], f[service+".outbox.state"] = strconv.Itoa(due), heap(due, outboxBase), "ready"
		if due > 0 {
			f[service+".outbox.age"], f[service+".outbox.state"] = aged(oldest), "part"
		}
		if refused > 0 {
			f[service+".outbox.age"], f[service+".outbox.state"] = fmt.Sprintf("%d refused", refused), "away"
		}
		return due
	}
	return 0
}

// breakers shows those of each program: how many are open, and whether any is on the way to an upstream.
func (f frame) breakers(programs []health.Health) {
	open, all := map[string]int{}, map[string]int{}
	for p, m := range health.Told(programs, "client_breaker_open") {
		way := p.Name + " " + m.Labels["upstream"] + ".breaker"
		all[p.Name]++
		open[p.Name] += int(m.Value)
		if f[way] = cmp.Or(f[way], "closed"); m.Value > 0 {
			f[way] = "open"
		}
	}
	for name, n := range all {
		f[name+".breakers"] = fmt.Sprintf("%d of %d open", open[name], n)
	}
}

// orders shows how many orders there are in each status that is not final.
func (f frame) orders(programs []health.Health) {
	counts := health.UnderWay(programs)
	f["orders.underway"], f["orders.statuses"] = unseen, unseen
	if counts == nil {
		return
	}
	sum := 0
	var parts []string
	for _, b := range orders.Bars(nil, counts) {
		if n := counts[b.Status]; n > 0 {
			sum += n
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ToLower(b.Label)))
		}
	}
	f["orders.underway"], f["orders.statuses"] = strconv.Itoa(sum), "none"
	if sum > 0 {
		f["orders.statuses"] = strings.Join(parts, ", ")
	}
}

// bus shows the queues, and returns what waits in them.
func (s *outlook) bus(f frame, now time.Time) (waiting []string) {
	f["bus.state"], f["bus.why"] = "ready", ""
	switch {
	case s.unasked != nil:
		f["bus.state"], f["bus.why"] = "away", "RabbitMQ: "+s.unasked.Cause+", for "+aged(now.Sub(s.unasked.Since))+"."
	case s.queues == nil:
		f["bus.state"] = "unknown"
	}
	old := health.Ages(s.programs)
	for _, service := range s.services {
		var retry, dead int
		for _, exchange := range []string{bus.Commands, bus.Events} {
			q := bus.Queue{Service: service, Exchange: exchange}
			r, d := s.queue(f, q, old)
			retry, dead = retry+r, dead+d
			if n := s.queues[q.Name()].Ready; n > 0 && s.unasked == nil {
				waiting = append(waiting, fmt.Sprintf("%d in %s", n, q.Name()))
			}
		}
		for what, n := range map[string]int{"retry": retry, "dead": dead} {
			key := service + "." + what
			f[key], f[key+".pile"], f[key+".state"] = strconv.Itoa(n), heap(n, sideBase), "empty"
			if f["bus.state"] != "ready" {
				f[key], f[key+".pile"], f[key+".state"] = unseen, "", "unknown"
			} else if n > 0 {
				f[key+".state"] = "waiting"
			}
		}
	}
	return waiting
}

// queue shows a queue, and returns how many messages wait for another attempt, and how many were given up.
func (s *outlook) queue(f frame, q bus.Queue, old map[string]time.Duration) (retry, dead int) {
	key := q.Name()
	state, known := s.queues[key], s.queues != nil && s.unasked == nil
	age, told := old[key]
	f[key+".waiting"], f[key+".pile"], f[key+".age"], f[key+".consumers"], f[key+".state"] = unseen, "", unseen, unseen, "unknown"
	f[key+".seen"], f[key+".rate"] = "0", "" // unless something has come
	if !known {
		if _, was := s.queues[key]; was && state.Missing || !was && !told && q.Exchange == bus.Events {
			f[key+".state"] = "missing"
		}
		return 0, 0
	}
	for _, name := range q.Around()[2:] {
		retry += s.queues[name].Ready
	}
	dead = s.queues[q.Dead()].Ready
	f[key+".retry"], f[key+".dead"] = strconv.Itoa(retry), strconv.Itoa(dead)
	f[key+".waiting"], f[key+".pile"], f[key+".consumers"] = strconv.Itoa(state.Ready), heap(state.Ready, queueBase), strconv.Itoa(state.Consumers)
	switch since, alone := s.alone[key]; {
	case alone: // its consumers would tell how old the messages are
		f[key+".age"] = "over " + aged(s.looked.Sub(since))
	case state.Ready == 0 && age == 0:
		f[key+".age"] = "–"
	case told:
		f[key+".age"] = aged(age)
	}
	switch {
	case state.Missing:
		f[key+".state"] = "missing"
	case state.Consumers == 0:
		f[key+".state"] = "alone"
	case state.Ready > 0:
		f[key+".state"] = "waiting"
	default:
		f[key+".state"] = "empty"
	}
	return retry, dead
}

// move shows what moves, and how fast.
func (s *outlook) move(f frame, now time.Time) {
	moves, at, rates, kinds := s.traffic.tell(now)
	for key, n := range moves {
		f[key] = fmt.Sprint(n.times, n.last)
	}
	for place := range maps.Keys(at) {
		f[place+".rate"], f[place+".seen"] = perSecond(rates[place]), strconv.Itoa(at[place])
	}
	for _, rail := range []string{"commands", "events"} {
		for i := range kindsShown {
			key := rail + "." + kindKey(i)
			if f[key] = ""; i < len(kinds[rail]) {
				f[key] = kinds[rail][i].name + " " + perSecond(kinds[rail][i].rate)
			}
		}
	}
}

// perSecond returns a rate in words; empty: nothing comes.
func perSecond(rate float64) string {
	switch {
	case rate >= 10:
		return fmt.Sprintf("%.0f/s", rate)
	case rate > 0:
		return fmt.Sprintf("%.1f/s", rate)
	}
	return ""
}

// aged returns a duration as people read it beside a picture.
func aged(d time.Duration) string { return max(0, d).Round(time.Second).String() }
