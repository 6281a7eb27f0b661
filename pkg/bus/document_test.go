package bus_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/api/asyncapi"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
)

var parameter = regexp.MustCompile(`\\\{(\w+)\\\}`) // in a name that is quoted for a pattern

// What a service and a subscription declare is what api/asyncapi.yaml says, and the other way round.
func TestExchangesAndQueuesAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	document, err := asyncapi.Read()
	if err != nil {
		t.Fatal(err)
	}
	v := testkit.NewVhost(t)
	var got seen
	q := queue(kind)
	q.Retries = bus.DefaultRetries
	running(t, newBroker(t, v.URL), q, got.sorted)
	web, err := bus.NewBroker(v.URL, "bff-web", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	live := web.NewSubscription([]string{"orders.order_placed"}, func([]bus.Delivery) {}, func(bool) {})
	testkit.Go(t, live.Run)

	want := map[string]asyncapi.Channel{} // by a pattern of the name
	for _, c := range document.Channels {
		name := c.Value.Name()
		if service, _, _ := strings.Cut(name, "."); c.Value.Tags[0].Name() == "serviceQueue" && service != q.Service {
			continue // what another service declares
		}
		want["^"+parameter.ReplaceAllStringFunc(regexp.QuoteMeta(name), func(p string) string {
			if allowed := c.Value.Parameters[parameter.FindStringSubmatch(p)[1]].Enum; len(allowed) > 0 {
				return "(" + strings.Join(allowed, "|") + ")"
			}
			return ".+"
		})+"$"] = c.Value
	}
	testkit.Until(t, "everything is declared", func() bool {
		return len(v.Declared("queues")) == len(q.Around())+1 && len(v.Declared("exchanges")) == 3
	})
	found := map[string]bool{}
	for _, what := range []string{"exchange", "queue"} {
		for _, is := range v.Declared(what + "s") {
			var says []asyncapi.Declared
			for pattern, c := range want {
				b := c.Bindings.AMQP
				if matched, err := regexp.MatchString(pattern, is.Name); err != nil || !matched || (b.Is == "queue") != (what == "queue") {
					continue
				}
				found[pattern] = true
				if what == "exchange" {
					says = append(says, b.Exchange)
				} else {
					says = append(says, b.Queue)
				}
			}
			if what == "queue" {
				is.Type = "" // the binding of AsyncAPI has none
			}
			if len(says) != 1 || says[0].Type != is.Type || says[0].Durable != is.Durable || says[0].Exclusive != is.Exclusive || says[0].AutoDelete != is.AutoDelete {
				t.Errorf("the %s is %+v, and asyncapi.yaml says %+v", what, is, says)
			}
		}
	}
	for pattern := range want {
		if !found[pattern] {
			t.Errorf("asyncapi.yaml has %s, and nothing is declared for it", pattern)
		}
	}
	if waits := document.Channels.Get("retry").Parameters["wait"].Enum; !slices.EqualFunc(waits, bus.DefaultRetries, func(says string, is time.Duration) bool { return says == is.String() }) {
		t.Errorf("the waits are %v, and asyncapi.yaml says %v", bus.DefaultRetries, waits)
	}
}
