package interleavings

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"example.com/orderflow/pkg/messages"
)

// letter is the number of a message. Messages with the same content are the same letter: the model does not rely on the inbox,
// which would recognise a repeated message by its id.
type letter int

// mail is the set of letters under way. A letter that was sent stays in the set: it may arrive at any time, repeatedly, or
// never, which covers everything that a network can do to it.
type mail [2]uint64

func (m *mail) add(l letter)    { m[l/64] |= 1 << (l % 64) }
func (m mail) with(o mail) mail { return mail{m[0] | o[0], m[1] | o[1]} }
func (m mail) less(o mail) mail { return mail{m[0] &^ o[0], m[1] &^ o[1]} }
func (m mail) only(o mail) mail { return mail{m[0] & o[0], m[1] & o[1]} }
func (m mail) each(f func(l letter)) {
	for i, word := range m {
		for ; word != 0; word &= word - 1 {
			f(letter(64*i + bits.TrailingZeros64(word)))
		}
	}
}

// post knows all messages that were ever sent, and the services that handle them.
type post struct {
	machines []*machine
	letters  []entry
	numbers  map[string]letter
	lasting  mail
}

type entry struct {
	name    string
	content messages.Message
	to      []*machine
}

// lasting are the kinds that are never lost. The outbox and the broker lose nothing; an apparent loss is a dead letter that
// waits for an operator. Every command and every answer may be lost, because orders sends its commands again. The last event
// has no answer, so it would not be sent again.
var lasting = []string{messages.OrderCompleted{}.Kind()}

// number returns the number of a message. handled is false for an event that no service handles.
func (p *post) number(m messages.Message) (l letter, handled bool, err error) {
	body, err := json.Marshal(m)
	if err != nil {
		return 0, false, fmt.Errorf("encode %s: %w", m.Kind(), err)
	}
	key := m.Kind() + string(body)
	if l, known := p.numbers[key]; known {
		return l, true, nil
	}
	var to []*machine
	for _, machine := range p.machines {
		if slices.Contains(machine.first.Handles(), m.Kind()) && slices.Contains(machine.orders, m.Subject()) {
			to = append(to, machine)
		}
	}
	if len(to) == 0 {
		if _, notification := m.(messages.Notification); notification {
			return 0, false, nil
		}
		return 0, false, fmt.Errorf("nobody handles %s", m.Kind())
	}
	if v, ok := m.(messages.Validator); ok {
		if err := v.Validate(); err != nil {
			return 0, false, fmt.Errorf("a dead letter, %s: %w", m.Kind(), err)
		}
	}
	l = letter(len(p.letters))
	if int(l) == 64*len(mail{}) {
		return 0, false, fmt.Errorf("more than %d different messages, the last is %s %s", l, m.Kind(), body)
	}
	p.numbers[key] = l
	p.letters = append(p.letters, entry{describe(m), m, to})
	if slices.Contains(lasting, m.Kind()) {
		p.lasting.add(l)
	}
	return l, true, nil
}

// describe names a message in a story.
func describe(m messages.Message) string {
	_, name, _ := strings.Cut(m.Kind(), ".")
	name = strings.ReplaceAll(name, "_", " ")
	if m, refunded := m.(messages.PaymentRefunded); refunded {
		name += fmt.Sprintf(" (%d)", m.Amount.Amount)
	}
	return "“" + name + "” of order " + m.Subject()
}
