package interleavings

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// machine is a world as an automaton: its states have numbers, and results about a state are cached. A service has few
// states, but there are many combinations of them.
type machine struct {
	name   string
	first  World
	orders []string // the orders that it takes part in
	states []local
	ids    map[string]uint32
	post   *post
}

// local is a state of one machine.
type local struct {
	world     []byte // JSON
	alone     []step
	known     bool            // alone has been computed
	delivered map[letter]step // by letter
	void      mail            // letters below seen that can no longer change anything
	seen      int
	facts     map[string]Facts
}

// step is a transition of one machine.
type step struct {
	to   uint32
	send mail
	what string
	help bool
	err  error
}

func newMachine(name string, first World, p *post, orders ...string) *machine {
	m := &machine{name: name, first: first, orders: orders, ids: map[string]uint32{}, post: p}
	m.id(first)
	return m
}

// id returns the number of a world's state.
func (m *machine) id(w World) uint32 {
	w.Tidy()
	key, err := json.Marshal(w)
	if err != nil {
		panic(err) // a world is data: see World
	}
	id, known := m.ids[string(key)]
	if !known {
		id = uint32(len(m.states))
		m.ids[string(key)] = id
		m.states = append(m.states, local{world: key, delivered: map[letter]step{}, facts: map[string]Facts{}})
	}
	return id
}

// world returns a new copy of the world in a state.
func (m *machine) world(id uint32) World {
	w := reflect.New(reflect.TypeOf(m.first).Elem()).Interface().(World) //nolint:forcetypeassert // it is of the type of first
	if err := json.Unmarshal(m.states[id].world, w); err != nil {
		panic(err)
	}
	return w
}

// actions returns the steps that are possible in a state without a message. Actions with the same outcome are merged.
func (m *machine) actions(id uint32) []step {
	if m.states[id].known {
		return m.states[id].alone
	}
	type outcome struct {
		to   uint32
		send mail
		err  bool
	}
	found := map[outcome]bool{}
	var steps []step
	for i := range m.world(id).Actions() {
		w := m.world(id)
		action := w.Actions()[i]
		what, err := action.Do()
		s := m.step(w, what, err)
		s.help = action.Help
		if o := (outcome{s.to, s.send, s.err != nil}); !found[o] {
			found[o] = true
			steps = append(steps, s)
		}
	}
	m.states[id].alone, m.states[id].known = steps, true
	return steps
}

// deliver returns the step that a letter causes in a state.
func (m *machine) deliver(id uint32, l letter) step {
	s, known := m.states[id].delivered[l]
	if !known {
		w := m.world(id)
		msg := m.post.letters[l].content
		s = m.step(w, "receives "+m.post.letters[l].name, w.Receive(msg))
		m.states[id].delivered[l] = s
	}
	return s
}

func (m *machine) step(w World, what string, err error) step {
	if err != nil {
		return step{what: what, err: fmt.Errorf("a dead letter, or work that can never be done, in %s: %w", m.name, err)}
	}
	s := step{what: what}
	for _, msg := range w.Sent() {
		l, handled, err := m.post.number(msg)
		if err != nil {
			return step{what: what, err: err}
		}
		if handled {
			s.send.add(l)
		}
	}
	s.to = m.id(w)
	return s
}

// void returns the letters that can no longer change anything.
func (m *machine) void(id uint32) mail {
	st := &m.states[id]
	if st.seen < len(m.post.letters) {
		w := m.world(id)
		for l := st.seen; l < len(m.post.letters); l++ {
			if to := m.post.letters[l].to; len(to) == 1 && to[0] == m && w.Void(m.post.letters[l].content) {
				st.void.add(letter(l))
			}
		}
		st.seen = len(m.post.letters)
	}
	return st.void
}

func (m *machine) tell(id uint32, order string, f *Facts) {
	known, ok := m.states[id].facts[order]
	if !ok {
		m.world(id).Tell(order, &known)
		m.states[id].facts[order] = known
	}
	f.add(known)
}

func (f *Facts) add(g Facts) {
	f.Status += g.Status
	f.Reason += g.Reason
	f.Charged += g.Charged
	f.Refunded += g.Refunded
	f.Stock += g.Stock
	f.Parcel += g.Parcel
	f.Busy = f.Busy || g.Busy
	f.Wrong += g.Wrong
}
