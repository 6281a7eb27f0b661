package interleavings

import (
	"fmt"
	"slices"
	"strings"
)

// Model is services that are joined by a network.
type Model struct {
	orders   []string
	machines []*machine
	post     *post

	// Patient is a world in which no deadline comes and nothing is lost, but people may help. It is smaller.
	Patient bool

	Ends []string // how orders end in this world, all ways: "delivered", "cancelled out_of_stock"; none: however they do
}

// NewModel returns an empty model about some orders.
func NewModel(orders ...string) *Model {
	return &Model{orders: orders, post: &post{numbers: map[string]letter{}}}
}

// Add joins a service that is told of some of the orders.
func (m *Model) Add(name string, first World, orders ...string) {
	if len(m.machines) == len(state{}.at) {
		panic("too many services for a state")
	}
	machine := newMachine(name, first, m.post, orders...)
	m.machines = append(m.machines, machine)
	m.post.machines = m.machines
}

// state is where everything is: the state of each machine, and what is under way.
type state struct {
	at   [7]uint32
	mail mail
}

// Result is what an exploration has found.
type Result struct {
	States, Steps int
	Situations    int // states, not counting what is under way
	Settled       int
	Messages      int // different ones
	Deepest       int // steps to the state that is the farthest
	Breach        string
	Story         string // the shortest way to the breach
	OverBudget    bool
}

// origin is how a state was reached first: by which step of which state.
type origin struct {
	from    int32
	machine int16
	action  int16 // of the actions of the machine, or
	letter  int16 // what was delivered to it, or
	lost    bool  // that all that was under way was lost
}

// search is an exploration that goes on.
type search struct {
	*Model
	most    int
	numbers map[state]int32
	states  []state
	origins []origin
	depths  []uint16
	begins  []int // of the edges of a state
	edges   []int32
	judged  map[[7]uint32]judgement
	ended   map[string]bool // how orders have ended: "delivered", "cancelled out_of_stock"
	result  Result
}

type judgement struct {
	breach  string
	settled bool
}

// Explore visits every state that can be reached, nearest first, up to a number of states. It stops at the first that
// breaks an invariant. If none does, it looks for states from which no way leads to an end.
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
	// To lose a single message is to never deliver it. A state with less under way has fewer ways on, so whoever gets on
	// when all is lost gets on when some is.
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

// visit returns the number of a state, and judges it when it is new.
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

// strand looks backward from the settled states for the states that lead to one without a person's help.
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

// compareEnds wants every end that the world has, and no other: if nothing could be delivered any more, all could still end well.
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

// story tells how a state was reached, one line a step.
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
