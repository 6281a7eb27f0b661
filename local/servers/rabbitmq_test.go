package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// One node for all subtests: a start takes seconds.
func TestRabbitMQKeepsQueuesAndUsersOverStopAndKill(t *testing.T) {
	t.Parallel()
	r, err := StartRabbitMQ(t.Context(), Options{Dir: t.TempDir(), Log: t.Output()})
	must(t, err)
	t.Cleanup(r.Kill)

	must(t, r.CreateVhost(t.Context(), "a/b"))
	user := ServiceUser("orders")
	user.Password = "p@ss/w?rd"
	amqp, err := r.CreateUser(t.Context(), "a/b", user)
	must(t, err)
	if !strings.HasPrefix(amqp, "amqp://orders:p%40ss%2Fw%3Frd@127.0.0.1:") || !strings.HasSuffix(amqp, "/a%2Fb") {
		t.Errorf("the user's address is %s", amqp)
	}
	api(t, r, "PUT", "/queues/a%2Fb/orders.events", `{"durable": true, "arguments": {"x-queue-type": "quorum"}}`)
	waitForRegistration(t, r, "orders.events")
	address := r.URL

	for n, end := range []func(){r.Kill, func() { must(t, r.Stop()) }} {
		api(t, r, "POST", "/exchanges/a%2Fb/amq.default/publish",
			`{"routing_key": "orders.events", "payload": "kept", "payload_encoding": "string", "properties": {"delivery_mode": 2}}`)
		end()
		must(t, r.Start(t.Context()))
		if r.URL != address {
			t.Errorf("its address changed from %s to %s", address, r.URL)
		}
		// The queue elects its leader after the node begins to answer.
		deadline := time.Now().Add(time.Minute)
		for kept := 0; kept != n+1; {
			if time.Now().After(deadline) {
				t.Fatalf("the queue kept %d messages, want %d", kept, n+1)
			}
			var messages []any
			must(t, json.Unmarshal(api(t, r, "POST", "/queues/a%2Fb/orders.events/get",
				`{"count": 5, "ackmode": "reject_requeue_true", "encoding": "auto"}`), &messages))
			kept = len(messages)
		}
	}

	own, err := r.VhostURL("a/b")
	must(t, err)
	looksAt(t, Broker{URL: own, Management: r.Management}, func() {
		api(t, r, "POST", "/exchanges/a%2Fb/amq.default/publish",
			`{"routing_key": "orders.events", "payload": "bare", "payload_encoding": "string", "properties": {}}`)
	})

	var permissions []struct{ User, Configure, Write, Read string }
	must(t, json.Unmarshal(api(t, r, "GET", "/vhosts/a%2Fb/permissions", ""), &permissions))
	if len(permissions) != 2 { // the administrator's and the service's
		t.Errorf("the vhost has the permissions %v", permissions)
	}

	r.Suspend()
	brief, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := r.answers(brief); err == nil {
		t.Error("it answers while it is suspended")
	}
	r.Resume()
	must(t, r.answers(t.Context()))

	alarms(t, r)

	must(t, r.DeleteVhost(t.Context(), "a/b"))
	must(t, r.DeleteVhost(t.Context(), "a/b"))
}

// alarms sets the node's memory limit below its present use, and back.
func alarms(t *testing.T, r *RabbitMQ) {
	t.Helper()
	for _, limit := range []struct {
		memory string
		want   Alarm
	}{{"1MB", Alarm{Memory: true}}, {"512MiB", Alarm{}}} {
		must(t, r.Control(t.Context(), "set_vm_memory_high_watermark", "absolute", limit.memory))
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			got, err := r.Alarms(t.Context())
			must(t, err)
			if got == limit.want {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("with %s of memory the alarms are %+v", limit.memory, got)
			}
		}
	}
	if err := r.Control(t.Context(), "no_such_command"); err == nil {
		t.Error("rabbitmqctl takes any command")
	}
}

// looksAt peeks twice at a queue with two messages, to which add adds one without any properties.
func looksAt(t *testing.T, b Broker, add func()) {
	t.Helper()
	for range 2 {
		seen, err := b.Peek(t.Context(), "orders.events", 1)
		if err != nil || len(seen) != 1 || seen[0].Body != "kept" || seen[0].Behind != 1 {
			t.Errorf("the first message: %+v, %v", seen, err)
		}
	}
	add()
	seen, err := b.Peek(t.Context(), "orders.events", 9)
	if err != nil || len(seen) != 3 || seen[2].Body != "bare" || seen[2].Behind != 0 {
		t.Errorf("all messages: %+v, %v", seen, err)
	}
	if none, err := b.Peek(t.Context(), "no-such-queue", 1); err == nil {
		t.Errorf("a queue that is not there has %+v", none)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		queues, err := b.Queues(t.Context())
		must(t, err)
		if len(queues) == 1 && queues[0] == (QueueDepth{"orders.events", 3}) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the queues are %+v", queues)
		}
	}
}

func TestWhatAServiceMayDoAtTheBroker(t *testing.T) {
	t.Parallel()
	const may, mayNot = true, false
	for _, test := range []struct {
		service, name           string
		configure, write, read_ bool
	}{
		{"orders", "orders.events", may, may, may},
		{"orders", "orders.commands.retry.1s", may, may, may},
		{"orders", "orders.redelivery", may, may, may},
		{"orders", "orderflow.events", may, may, may},
		{"orders", "orderflow.commands", may, may, may},
		{"payments", "payments.commands.dead", may, may, may},
		{"payments", "orderflow.events", may, may, may},
		{"payments", "orderflow.commands", may, mayNot, may},
		{"payments", "orders.commands", mayNot, mayNot, mayNot},
		{"payments", "payments", mayNot, mayNot, mayNot},
		{"payments", "paymentsx.commands", mayNot, mayNot, mayNot},
		{"payments", "x.payments.commands", mayNot, mayNot, mayNot},
		{"payments", "orderflowxevents", mayNot, mayNot, mayNot},
		{"payments", "amq.topic", mayNot, mayNot, mayNot},
		{"payments", "", mayNot, mayNot, mayNot}, // the default exchange
	} {
		user := ServiceUser(test.service)
		for right, check := range map[string]struct {
			pattern string
			want    bool
		}{"configure": {user.Configure, test.configure}, "write": {user.Write, test.write}, "read": {user.Read, test.read_}} {
			if got := regexp.MustCompile(check.pattern).MatchString(test.name); got != check.want {
				t.Errorf("%s %s %q: %v, want %v", test.service, right, test.name, got, check.want)
			}
		}
	}
}

func TestAServiceAnnouncesOnlyItsOwnEvents(t *testing.T) {
	t.Parallel()
	user := ServiceUser("shipping")
	write := regexp.MustCompile(user.TopicWrite)
	for kind, want := range map[string]bool{
		"shipping.shipment_delivered": true,
		"payments.payment_taken":      false,
		"shippingx.shipment":          false,
		"x.shipping.shipment":         false,
	} {
		if got := write.MatchString(kind); got != want {
			t.Errorf("shipping may announce %s: %v, want %v", kind, got, want)
		}
		if !regexp.MustCompile(user.TopicRead).MatchString(kind) {
			t.Errorf("shipping may not listen to %s", kind)
		}
	}
}

func TestTheVhostIsPartOfTheAddress(t *testing.T) {
	t.Parallel()
	broker := Broker{URL: "amqp://admin:secret@127.0.0.1:5672/"}
	for vhost, want := range map[string]string{
		"/":    "amqp://admin:secret@127.0.0.1:5672/%2F",
		"test": "amqp://admin:secret@127.0.0.1:5672/test",
		"a/b":  "amqp://admin:secret@127.0.0.1:5672/a%2Fb",
	} {
		if got, err := broker.VhostURL(vhost); err != nil || got != want {
			t.Errorf("vhost %s: %s, %v, want %s", vhost, got, err, want)
		}
	}
}

// waitForRegistration waits until RabbitMQ has recorded on disk that a quorum queue exists. It does so half a second after it
// confirms the declaration: a node that is killed in between loses the queue for good.
func waitForRegistration(t *testing.T, r *RabbitMQ, queue string) {
	t.Helper()
	files, err := filepath.Glob(r.file("data/*/quorum/*/names.dets"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the node's list of quorum queues: %v, %v", files, err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		names, err := os.ReadFile(files[0])
		must(t, err)
		if bytes.Contains(names, []byte(queue)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("queue %s is not in %s", queue, files[0])
		}
	}
}

func api(t *testing.T, r *RabbitMQ, method, path, body string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.Management+"/api"+path, strings.NewReader(body))
	must(t, err)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	must(t, err)
	if response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s", method, path, response.Status, answer)
	}
	return answer
}
