package bus_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"example.com/orderflow/local/servers"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
	amqp "github.com/rabbitmq/amqp091-go"
)

// listener is a process that subscribes to the status of orders.
type listener struct {
	*bus.Subscription
	seen
	joined atomic.Int32 // how often
	arrive atomic.Bool
	broker *bus.Broker
}

func listen(t *testing.T, url string) *listener {
	t.Helper()
	b, err := bus.NewBroker(url, "bff-web", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{broker: b}
	l.Subscription = b.NewSubscription([]string{"orders.order_status_changed"}, l.add, func(now bool) {
		l.arrive.Store(now)
		if now {
			l.joined.Add(1)
		}
	})
	testkit.Go(t, l.Run)
	l.Want(true)
	testkit.Until(t, "it listens", l.arrive.Load)
	return l
}

func TestEverySubscriptionGetsEveryEventOfItsKindsAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	// A publisher declares the exchange.
	p, _ := running(t, newBroker(t, v.URL), queue(kind), nil)
	one, two := listen(t, v.URL), listen(t, v.URL)
	m := message(`{"seq":1}`)
	m.Kind, m.Exchange, m.Mandatory = "orders.order_status_changed", bus.Events, false
	other := m
	other.Kind = "orders.order_placed"
	publish(t, p, other, m)
	testkit.Until(t, "both have heard it", func() bool { return one.count() == 1 && two.count() == 1 })
	if one.list[0].Kind != m.Kind || string(one.list[0].Body) != `{"seq":1}` {
		t.Errorf("heard %+v", one.list[0])
	}

	v.CloseConnections("subscription")
	testkit.Until(t, "both listen again", func() bool { return one.joined.Load() >= 2 && two.joined.Load() >= 2 })
	publish(t, p, m)
	testkit.Until(t, "both have heard it", func() bool { return one.count() == 2 && two.count() == 2 })
}

// An event that no process wants costs nothing: the broker sends it nowhere.
func TestEventsComeWhileTheyAreWanted(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	p, _ := running(t, newBroker(t, v.URL), queue(kind), nil)
	l := listen(t, v.URL)
	m := message(`{}`)
	m.Kind, m.Exchange, m.Mandatory = "orders.order_status_changed", bus.Events, false
	for range 3 {
		l.Want(false)
		testkit.Until(t, "it is told that none come", func() bool { return !l.arrive.Load() })
		before := l.count()
		unheard := m
		unheard.Mandatory = true
		if errs := p.Publish(t.Context(), []bus.Message{unheard}); errs[0] == nil || !strings.Contains(errs[0].Error(), "unroutable") {
			t.Fatalf("somebody takes what nobody wants: %v", errs[0])
		}
		l.Want(true)
		testkit.Until(t, "it is told that they come", l.arrive.Load)
		publish(t, p, m)
		testkit.Until(t, "it has heard it", func() bool { return l.count() == before+1 })
	}
	l.Want(false)
	testkit.Until(t, "it is told that none come", func() bool { return !l.arrive.Load() })
	joined := l.joined.Load()
	v.CloseConnections("subscription")
	testkit.Until(t, "it is connected again", l.broker.Connected)
	l.Want(true)
	testkit.Until(t, "it is told that they come", func() bool { return l.joined.Load() == joined+1 })
}

func TestASubscriberMayListenAndLookButNotPublish(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	p, _ := running(t, newBroker(t, v.URL), queue(kind), nil)
	user := servers.WebUser("bff-web")
	user.Name, user.Password = "web-"+v.Name, "secret"
	url, err := v.CreateUser(t.Context(), v.Name, user)
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, url)
	m := message(`{}`)
	m.Kind, m.Exchange, m.Mandatory = "orders.order_status_changed", bus.Events, false
	publish(t, p, m)
	testkit.Until(t, "it has heard the event", func() bool { return l.count() == 1 })

	states, err := l.broker.Queues(t.Context(), "payments.commands", "nobody.events", "payments.commands.dead")
	if err != nil {
		t.Fatal(err)
	}
	if q := states[0]; q.Missing || q.Consumers != 1 || q.Ready != 0 || !states[1].Missing || states[2].Missing || states[2].Consumers != 0 {
		t.Errorf("%+v", states)
	}

	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for what, do := range map[string]func(*amqp.Channel) error{
		"publish an event": func(ch *amqp.Channel) error {
			return ch.Publish(bus.Events, "orders.order_placed", false, false, amqp.Publishing{})
		},
		"give a command": func(ch *amqp.Channel) error {
			return ch.Publish(bus.Commands, kind, false, false, amqp.Publishing{})
		},
		"read a service's queue": func(ch *amqp.Channel) error {
			_, _, err := ch.Get("payments.commands", true)
			return err
		},
		"listen to payments": func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclare("bff-web.x", false, true, true, false, nil)
			if err != nil {
				t.Error(err)
			}
			return ch.QueueBind(q.Name, "payments.payment_taken", bus.Events, false, nil)
		},
		"make a queue for a service": func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("payments.x", false, true, true, false, nil)
			return err
		},
	} {
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		if err := do(ch); err == nil {
			// A publish is refused by closing the channel, a moment later.
			if _, err = ch.QueueDeclarePassive("payments.commands", true, false, false, false, nil); err == nil {
				t.Errorf("the web's account may %s", what)
				continue
			}
		}
		if e := <-closed; e == nil || e.Code != amqp.AccessRefused {
			t.Errorf("%s: %v", what, e)
		}
	}
}
