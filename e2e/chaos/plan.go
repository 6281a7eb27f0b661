// Package chaos injects faults into a running Orderflow, in a repeatable way, while customers order all the time: it kills,
// stops and freezes every program and both servers, takes memory and disk from the broker, breaks the network between any
// two, makes the outside world fail, and delivers messages twice and in another order. Then it heals everything, waits until
// the system is at rest, and audits it.
//
// The faults, their victims and their times are computed from a seed before anything runs. The real times depend on the
// speed of the machine, and so do the orders that a fault meets.
package chaos

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/local/servers"
)

// Kind is a kind of fault.
type Kind string

// The kinds of faults.
const (
	Killed     Kind = "killed (kill -9)"
	Stopped    Kind = "stopped (SIGTERM)"
	Frozen     Kind = "frozen (SIGSTOP)"
	Memory     Kind = "broker: memory alarm"
	Disk       Kind = "broker: disk alarm"
	Latency    Kind = "network: latency"
	Reset      Kind = "network: reset"
	BlackHole  Kind = "network: black hole"
	OneWay     Kind = "network: no answers"
	HalfOpen   Kind = "network: half-open"
	Failing    Kind = "world: fails"
	Slow       Kind = "world: slow"
	Ambiguous  Kind = "world: does it and resets"
	Down       Kind = "world: down"
	DealtTwice Kind = "messages twice and shuffled"
	Vanished   Kind = "host gone, nobody told"
	Ahead      Kind = "clock: two minutes fast"
	Behind     Kind = "clock: two minutes slow"
)

// Fault is a fault of one victim for a while.
type Fault struct {
	Kind   Kind
	Victim string
	Lane   int // faults of a lane come one after another
	Begin  time.Duration
	Length time.Duration
}

func (f Fault) String() string { return fmt.Sprintf("%s: %s", f.Kind, f.Victim) }

// lanes is the largest number of simultaneous faults.
const lanes = 2

const (
	warmUp   = 5 * time.Second  // before the first fault
	coolDown = 10 * time.Second // after the last one, still under load
	rest     = 3 * time.Second  // between two faults of a lane
)

// kind is the properties of a kind of fault.
type kind struct {
	name             Kind
	victims          []string
	shortest, spread time.Duration
}

var (
	services = servers.Services()
	single   = firstOf(services) // while another replica works
	whole    = slices.Concat(services, []string{"gateway", "bff-web", "simulator", "rabbitmq", "postgres"})
	timed    = slices.Concat(single, []string{"gateway", "bff-web-1"})
	parties  = []string{"provider", "carrier", "supplier"}
	queues   = []string{"orders.events", "payments.commands", "inventory.commands", "shipping.commands"}
)

func firstOf(programs []string) (replicas []string) {
	for _, program := range programs {
		replicas = append(replicas, program+"-1")
	}
	return replicas
}

// kinds lists all kinds. A frozen program is frozen for longer than heartbeats take to fail (15 s), a call with all its attempts
// (8 s) and a worker's lease of a row (30 s): when it goes on, another replica has the row as well, and it does not know. A host is gone for
// longer than a database waits for the next statement of a transaction (25 s).
func kinds() []kind {
	const s = time.Second
	all := []kind{
		{Killed, slices.Concat(whole, single), 1 * s, 3 * s},
		{Stopped, slices.Concat(whole, single), 1 * s, 3 * s},
		{Frozen, slices.Concat(whole, single), 31 * s, 4 * s},
		{Memory, []string{"rabbitmq"}, 4 * s, 4 * s},
		{Disk, []string{"rabbitmq"}, 4 * s, 4 * s},
		{DealtTwice, queues, 2 * s, 2 * s},
		{Vanished, single, 28 * s, 4 * s},
		{Ahead, timed, 5 * s, 5 * s},
		{Behind, timed, 5 * s, 5 * s},
	}
	for _, name := range []Kind{Latency, Reset, BlackHole, OneWay, HalfOpen} {
		all = append(all, kind{name, links(), 5 * s, 5 * s})
	}
	for _, name := range []Kind{Failing, Slow, Ambiguous, Down} {
		all = append(all, kind{name, parties, 5 * s, 5 * s})
	}
	return all
}

// links are the ways between programs and the servers that they use, as Network calls them. The supplier is not among them: it
// is called so rarely that a fault would hit nothing.
func links() []string {
	all := []string{"payments to provider", "shipping to carrier", "gateway to orders", "gateway to inventory", "bff-web to rabbitmq"}
	for _, service := range services {
		all = append(all, service+" to database", service+" to rabbitmq")
	}
	return all
}

// touches lists the parts that must not have another fault at the same time: otherwise the two could not be told apart, or
// undone separately.
func (f Fault) touches() []string {
	switch f.Kind {
	case DealtTwice:
		owner, _, _ := strings.Cut(f.Victim, ".")
		return []string{owner, "rabbitmq"}
	case Memory, Disk:
		return []string{"rabbitmq", "simulator"} // no messages flow, so the outside world is not called
	case Failing, Slow, Ambiguous, Down:
		return []string{"simulator"}
	case Latency, Reset, BlackHole, OneWay, HalfOpen:
		from, to, _ := strings.Cut(f.Victim, " to ")
		if to == "database" {
			to = "postgres"
		}
		return []string{from, to} // an outside party may be slow while its way is
	case Vanished:
		return []string{programOf(f.Victim), "rabbitmq", "postgres"} // all its ways are used
	default:
		if f.Victim == "postgres" || f.Victim == "rabbitmq" {
			return []string{f.Victim, "simulator"} // again, no messages flow
		}
		return []string{programOf(f.Victim)}
	}
}

func clash(a, b Fault) bool {
	return slices.ContainsFunc(a.touches(), func(who string) bool { return slices.Contains(b.touches(), who) })
}

// effort is how long it takes until the victim works again.
func (f Fault) effort() time.Duration {
	switch {
	case f.Victim == "rabbitmq" && f.Kind != Frozen:
		return 12 * time.Second // its tools take long to start, too
	case f.Kind == Killed, f.Kind == Stopped, f.Kind == DealtTwice:
		return 4 * time.Second
	default:
		return 0
	}
}

// Plan deals faults for a run of the given length. Kinds, and the victims of each kind, come from shuffled decks, so that none
// is left out: each deck is dealt completely before any of its elements comes again.
func Plan(seed uint64, duration time.Duration) []Fault {
	dice := rand.New(rand.NewPCG(seed, 0))
	all := deck[kind]{of: kinds()}
	victims := map[Kind]*deck[string]{}
	for _, k := range all.of {
		victims[k.name] = &deck[string]{of: k.victims}
	}
	var plan []Fault
	var last [lanes]Fault
	free := [lanes]time.Duration{warmUp, warmUp + rest}
	for {
		lane := 0
		if free[1] < free[0] {
			lane = 1
		}
		other := 1 - lane
		fits := func(f Fault) bool { return free[other] <= free[lane] || !clash(f, last[other]) }
		var fault Fault
		_, found := all.draw(dice, func(k kind) bool {
			victim, ok := victims[k.name].draw(dice, func(v string) bool { return fits(Fault{Kind: k.name, Victim: v}) })
			fault = Fault{Kind: k.name, Victim: victim, Lane: lane, Begin: free[lane]}
			if ok {
				fault.Length = k.shortest + time.Duration(dice.Int64N(int64(k.spread))).Truncate(100*time.Millisecond)
			}
			return ok
		})
		if !found {
			free[lane] = free[other] // until the fault in the other lane is over
			continue
		}
		end := fault.Begin + fault.Length
		if end > duration-coolDown {
			return plan
		}
		plan = append(plan, fault)
		last[lane], free[lane] = fault, end+fault.effort()+rest
	}
}

// write prints a plan, one line for each fault.
func write(out io.Writer, plan []Fault) {
	for _, f := range plan {
		fmt.Fprintf(out, "%6.1f s  for %4.1f s  %-28s %s\n", f.Begin.Seconds(), f.Length.Seconds(), f.Kind, f.Victim)
	}
}
