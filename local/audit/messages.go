package audit

import (
	"slices"
	"strings"

	"example.com/orderflow/local/laboratory"
	"example.com/orderflow/local/servers"
)

// services are the owners of databases and queues.
var services = servers.Services()

const (
	quietOutbox = "every outbox is empty but for deadlines and what is being published"
	noneDead    = "no message is dead but those expected"
)

var messageRules = []rule{
	{quietOutbox, func(b *indexed, see func(string, string)) {
		for _, m := range b.Outboxes {
			if !m.deadline() && !m.Fresh {
				see(m.about(), m.Where+" still has "+m.says())
			}
		}
	}},
	{noneDead, func(b *indexed, see func(string, string)) {
		for _, m := range b.DeadLetters {
			from := ""
			if m.Subject == laboratory.PoisonSubject {
				from = " (a poison message of the laboratory: the button there discards it)"
			}
			see(m.about(), unless(slices.Contains(b.Dead, m.ID), "%s has %s%s", m.Where, m.says(), from))
		}
	}},
}

var queueRules = []rule{
	{quietOutbox, func(b *indexed, see func(string, string)) {
		for _, service := range services {
			if b.sums.waiting[outboxOf(service)] == 0 {
				see(outboxOf(service), "")
			}
		}
	}},
	{noneDead, func(b *indexed, see func(string, string)) {
		for _, id := range b.Dead {
			see(id, unless(b.sums.dead[id], "this dead letter is expected, and is not there"))
		}
	}},
	{"every service has its queues", func(b *indexed, see func(string, string)) {
		for _, service := range services {
			there := slices.ContainsFunc(b.Queues, func(q Queue) bool { return strings.HasPrefix(q.Name, service+".") })
			see(service, unless(there, "RabbitMQ has no queue of it"))
		}
	}},
	{"every queue is empty, those of retries too", func(b *indexed, see func(string, string)) {
		for _, q := range b.Queues {
			see(q.Name, unless(q.Messages == 0, "%s still in it", count(q.Messages, "message is", "messages are")))
		}
	}},
}

func outboxOf(service string) string { return "outbox of " + service }

// deadline reports whether the message is one that orders of an earlier release sent to itself for a deadline, and that is
// not due yet. A message that was refused when it was due is not counted.
func (m Message) deadline() bool {
	return m.Kind == checkProgress && m.Attempts == 0 && m.Early
}

// checkProgress is the kind of such a deadline message.
const checkProgress = "orders.check_progress"

// about is the subject of a breach about the message.
func (m Message) about() string {
	if m.Subject == "" {
		return m.Where
	}
	return m.Subject
}

func (m Message) says() string {
	text := m.Kind + " (" + m.ID + ")"
	if m.LastError != "" {
		text += ": " + m.LastError
	}
	return text
}
