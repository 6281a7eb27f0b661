package interleavings

import (
	"fmt"
	"slices"
	"strings"
)

// Model is services that are connected by a network.
type Model struct {
	orders   []string
	machines []*machine
	post     *post

	// Patient worlds have no deadlines and lose nothing, but people may help. They are smaller.
	Patient bool

	Ends []string // all possible ends of orders in this world: "delivered", "cancelled out_of_stock"; empty: any end is right
}

// NewModel returns an empty model about some orders.
func NewModel(orders ...string) *Model {
	return &Model{orders: orders, post: &post{numbers: map[string]letter{}}}
}

// Add adds a service that takes part in some of the orders.
func (m *Model) Add(name string, first World, orders ...string) {
	if len(m.machines) == len(state{}.at) {
		panic("too many services for a state")
	}
	machine := newMachine(name, first, m.post, orders...)
	m.machines = append(m.machines, machine)
	m.post.machines = m.machines
}

// state is the state of each machine, and the mail under way.
type state struct {
	at   [7]uint32
	mail mail
}

// Result is the result of an exploration.
type Result struct {
	States, Steps int
	Situations    int // states, without regard to the mail under way
	Settled       int
	Messages      int // distinct ones
	Deepest       int // steps to the farthest state
	Breach        string
	Story         string // the shortest way to the breach
	OverBudget    bool
}

// origin is the step by which a state was first reached.
type origin struct {
	from    int32
	machine int16
	action  int16 // index in the machine's actions, or
	letter  int16 // the letter that was delivered, or
	lost    bool  // all mail under way was lost
}

// search is a running exploration.
type search struct {
	*Model
	most    int
	numbers map[state]int32
	states  []state
	origins []origin
	depths  []uint16
	begins  []int // index of the first edge of each state
	edges   []int32
	judged  map[[7]uint32]judgement
	ended   map[string]bool // the ends that were reached: "delivered", "cancelled out_of_stock"
	result  Result
}

type judgement struct {
	breach  string
	settled bool
}

// Explore visits every reachable state, nearest first, up to most states. It stops at the first one that breaks an
// invariant. If there is none, it looks for states from which no end can be reached.
func (m *Model) Explore(most int) Result {
	s := &search{Model: m, most: most, numbers: map[state]int32{}, judged: map[[7]uint32]judgement{}, ended: map[string]bool{}}
	s.visit(state{}, origin{from: -1})
	for at := int32(0); int(at) < len(s.states) && s.result.Breach == "" && !s.result.OverBudget; at++ {
		s.begins = append(s.begins, len(s.edges))
		s.expand(at)
	}
	s.begins = append(s.begins, len(s.edges))
	if s.result.Breach == "" && !s.result.OverBudget {
		s.strand()
	}
	if s.result.Breach == "" && !s.result.OverBudget && len(s.Ends) > 0 {
		s.compareEnds()
	}
	s.result.States, s.result.Steps = len(s.states), len(s.edges)
	s.result.Situations, s.result.Messages = len(s.judged), len(m.post.letters)
	return s.result
}

// expand takes every step that is possible in a state.
func (s *search) expand(at int32) {
	from := s.states[at]
	for i, m := range s.machines {
		for j, st := range m.actions(from.at[i]) {
			s.follow(at, st, origin{from: at, machine: int16(i), action: int16(j), letter: -1})
		}
	}
	from.mail.each(func(l letter) {
		for i, m := range s.machines {
			if slices.Contains(s.post.letters[l].to, m) {
				s.follow(at, m.deliver(from.at[i], l), origin{from: at, machine: int16(i), action: -1, letter: int16(l)})
			}
		}
	})
	if s.Patient {
		return
	}
	// Losing a single message is the same as never delivering it. A state with less mail has fewer steps, so if an order can end
	// after all mail is lost, it can also end after some is lost.
	left := from
	left.mail = from.mail.only(s.post.lasting)
	s.edges = append(s.edges, s.visit(left, origin{from: at, lost: true, letter: -1, action: -1}))
}

// follow takes a step.
func (s *search) follow(at int32, st step, by origin) {
	if s.result.Breach != "" {
		return
	}
	if st.err != nil {
		s.result.Breach = st.err.Error()
		s.result.Story = s.story(at) + s.line(by, st)
		return
	}
	next := s.states[at]
	next.at[by.machine] = st.to
	next.mail = next.mail.with(st.send)
	for i, m := range s.machines {
		next.mail = next.mail.less(m.void(next.at[i]))
	}
	if next == s.states[at] {
		return
	}
	to := s.visit(next, by)
	if !st.help || s.Patient {
		s.edges = append(s.edges, to)
	}
}

// visit returns the number of a state, and checks the invariants when it is new.
func (s *search) visit(st state, by origin) int32 {
	if n, known := s.numbers[st]; known {
		return n
	}
	n := int32(len(s.states))
	s.numbers[st] = n
	s.states = append(s.states, st)
	s.origins = append(s.origins, by)
	depth := uint16(0)
	if by.from >= 0 {
		depth = s.depths[by.from] + 1
	}
	s.depths = append(s.depths, depth)
	s.result.Deepest = max(s.result.Deepest, int(depth))
	s.result.OverBudget = len(s.states) > s.most
	j := s.judge(st)
	if j.settled {
		s.result.Settled++
	}
	if j.breach != "" && s.result.Breach == "" {
		s.result.Breach = j.breach
		s.result.Story = s.story(n)
	}
	return n
}

func (s *search) judge(st state) judgement {
	j, known := s.judged[st.at]
	if !known {
		j.settled = true
		for _, order := range s.orders {
			f := s.facts(st, order)
			if breach := f.breach(); breach != "" && j.breach == "" {
				j.breach = fmt.Sprintf("order %s: %s", order, breach)
			}
			j.settled = j.settled && f.settled()
			if f.settled() {
				s.ended[f.end()] = true
			}
		}
		s.judged[st.at] = j
	}
	return j
}

func (s *search) facts(st state, order string) (f Facts) {
	for i, m := range s.machines {
		if slices.Contains(m.orders, order) {
			m.tell(st.at[i], order, &f)
		}
	}
	return f
}

// strand searches backward from the settled states for the states from which one is reached without a person's help.
func (s *search) strand() {
	good := make([]bool, len(s.states))
	for n, st := range s.states {
		good[n] = s.judge(st).settled
	}
	for changed := true; changed; {
		changed = false
		for n := len(s.states) - 1; n >= 0; n-- { // a state's successors tend to come after it
			if !good[n] && slices.ContainsFunc(s.edges[s.begins[n]:s.begins[n+1]], func(to int32) bool { return good[to] }) {
				good[n], changed = true, true
			}
		}
	}
	if n := slices.Index(good, false); n >= 0 {
		s.result.Breach = "stranded: no way leads to an end from here"
		s.result.Story = s.story(int32(n))
	}
}

// compareEnds requires every end of the world, and no other: if delivery became impossible, all orders could still end well.
func (s *search) compareEnds() {
	for _, end := range s.Ends {
		if !s.ended[end] {
			s.result.Breach = "no order ends " + end
			return
		}
		delete(s.ended, end)
	}
	for end := range s.ended {
		s.result.Breach = "an order ends " + end + ", which nobody expects"
	}
}

// story describes how a state was reached, one line for each step.
func (s *search) story(n int32) string {
	by := s.origins[n]
	if by.from < 0 {
		return ""
	}
	before := s.story(by.from)
	if by.lost {
		return before + "  network    loses all that is under way\n"
	}
	m, at := s.machines[by.machine], s.states[by.from].at[by.machine]
	var st step
	if by.letter >= 0 {
		st = m.deliver(at, letter(by.letter))
	} else {
		st = m.actions(at)[by.action]
	}
	var b strings.Builder
	b.WriteString(before + s.line(by, st))
	for _, order := range s.orders {
		if is := s.facts(s.states[n], order); is != s.facts(s.states[by.from], order) {
			fmt.Fprintf(&b, "               order %s: %s\n", order, is)
		}
	}
	return b.String()
}

func (s *search) line(by origin, st step) string {
	line := fmt.Sprintf("  %-10s %s", s.machines[by.machine].name, st.what)
	var sent []string
	st.send.each(func(l letter) { sent = append(sent, s.post.letters[l].name) })
	if len(sent) > 0 {
		line += ", sends " + strings.Join(sent, ", ")
	}
	return line + "\n"
}
