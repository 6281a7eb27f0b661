package interleavings

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"example.com/orderflow/pkg/messages"
)

// letter is the number of a message. Two messages that say the same are the same letter: that the inbox would know a
// repetition by its id is not relied on.
type letter int

// mail is the set of letters that are under way. What was sent stays there: it may arrive at any time, again and again, or
// never, which is all that a network can do to it.
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

// post knows all messages that were ever sent, and which service handles them.
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

// lasting are the kinds that are never lost. The outbox and the broker lose nothing; what looks like a loss is a dead letter
// that waits for an operator. Every command and every answer may be lost, because orders asks again. Nobody asks again for the
// last announcement: it has no answer.
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
