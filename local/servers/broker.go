package servers

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/orderflow/local/direct"
)

// Broker is the administration of a RabbitMQ broker, a private one or an existing one.
type Broker struct {
	URL        string // AMQP URL of an administrator; of a cluster one for each node, separated by commas
	Management string // base address of the management API, with the administrator's name and password
}

// BrokerUser is an account and its permissions in one vhost. The permissions are regular expressions over the names of
// queues and exchanges; an empty one permits nothing.
type BrokerUser struct {
	Name, Password string

	Configure, Write, Read string

	// On a topic exchange RabbitMQ also checks the routing key. An empty TopicExchange means no such restriction.
	TopicExchange, TopicWrite, TopicRead string
}

// ServiceUser is the account of a service of Orderflow: it has all permissions on queues and exchanges that are named after
// it, may publish its own events only, and may consume the events of all services. Only orders may send commands to others.
func ServiceUser(service string) BrokerUser {
	publish := `orderflow\.events`
	if service == "orders" {
		publish = `orderflow\.(events|commands)`
	}
	return BrokerUser{
		Name:          service,
		Configure:     `^(` + service + `\..*|orderflow\.(events|commands))$`,
		Write:         `^(` + service + `\..*|` + publish + `)$`,
		Read:          `^(` + service + `\..*|orderflow\.(events|commands))$`,
		TopicExchange: "orderflow.events",
		TopicWrite:    `^` + service + `\.`,
		TopicRead:     `.*`,
	}
}

// WebUser is the account of a web front end: it may make queues that exist while it is connected, and bind them to the
// changes of orders' status. It may not publish.
func WebUser(name string) BrokerUser {
	own := `^` + name + `\..*$`
	return BrokerUser{
		Name:          name,
		Configure:     own,
		Write:         own, // binding a queue needs permission to write to it
		Read:          `^(` + name + `\..*|orderflow\.events)$`,
		TopicExchange: "orderflow.events",
		TopicRead:     `^orders\.order_[a-z_]+$`,
	}
}

// TapUser is the account of a wire tap: it may make queues that exist while it is connected, and bind them to everything that
// the services send each other. It may not publish, nor read a queue of a service.
func TapUser(name string) BrokerUser {
	own := `^` + name + `\..*$`
	return BrokerUser{
		Name:          name,
		Configure:     own,
		Write:         own,
		Read:          `^(` + name + `\..*|orderflow\.(events|commands)|[a-z-]+\.redelivery)$`,
		TopicExchange: "orderflow.events",
		TopicRead:     `.*`,
	}
}

// CreateVhost makes a vhost with all permissions for the administrator. An existing one is kept.
func (b Broker) CreateVhost(ctx context.Context, name string) error {
	if err := b.call(ctx, http.MethodPut, nil, "vhosts", name); err != nil {
		return err
	}
	admin, err := b.address()
	if err != nil {
		return err
	}
	everything := map[string]string{"configure": ".*", "write": ".*", "read": ".*"}
	return b.call(ctx, http.MethodPut, everything, "permissions", name, admin.User.Username())
}

// DeleteVhost removes a vhost with all its queues. It is not an error if there is none.
func (b Broker) DeleteVhost(ctx context.Context, name string) error {
	return b.call(ctx, http.MethodDelete, nil, "vhosts", name)
}

// CreateUser makes an account with its permissions in a vhost, or gives an existing one this password and these
// permissions, and returns its AMQP URL.
func (b Broker) CreateUser(ctx context.Context, vhost string, user BrokerUser) (string, error) {
	account := map[string]string{"password": user.Password, "tags": ""}
	if err := b.call(ctx, http.MethodPut, account, "users", user.Name); err != nil {
		return "", err
	}
	permissions := map[string]string{"configure": user.Configure, "write": user.Write, "read": user.Read}
	if err := b.call(ctx, http.MethodPut, permissions, "permissions", vhost, user.Name); err != nil {
		return "", err
	}
	if user.TopicExchange != "" {
		topic := map[string]string{"exchange": user.TopicExchange, "write": user.TopicWrite, "read": user.TopicRead}
		if err := b.call(ctx, http.MethodPut, topic, "topic-permissions", vhost, user.Name); err != nil {
			return "", err
		}
	}
	return b.urlOf(vhost, url.UserPassword(user.Name, user.Password))
}

// Vhost is the name of the vhost in the address.
func (b Broker) Vhost() (string, error) {
	address, err := b.address()
	if err != nil {
		return "", err
	}
	return cmp.Or(strings.TrimPrefix(address.Path, "/"), "/"), nil
}

// VhostURL is the administrator's AMQP URL for a vhost.
func (b Broker) VhostURL(vhost string) (string, error) {
	admin, err := b.address()
	if err != nil {
		return "", err
	}
	return b.urlOf(vhost, admin.User)
}

func (b Broker) urlOf(vhost string, user *url.Userinfo) (string, error) {
	nodes := strings.Split(b.URL, ",")
	for i, node := range nodes {
		address, err := url.Parse(node)
		if err != nil {
			return "", fmt.Errorf("address of the broker: %w", err)
		}
		address.User = user
		address.Path, address.RawPath = "/"+vhost, "/"+url.PathEscape(vhost)
		nodes[i] = address.String()
	}
	return strings.Join(nodes, ","), nil
}

// address is the address of the first node. Account and vhost are the same at all nodes.
func (b Broker) address() (*url.URL, error) {
	first, _, _ := strings.Cut(b.URL, ",")
	address, err := url.Parse(first)
	if err != nil {
		return nil, fmt.Errorf("address of the broker: %w", err)
	}
	return address, nil
}

// ping sends a request that needs both the node and the account.
func (b Broker) ping(ctx context.Context) error {
	return b.call(ctx, http.MethodGet, nil, "whoami")
}

var management = http.Client{Timeout: 30 * time.Second, Transport: direct.Transport}

// call sends a request to the management API and ignores the body of the answer.
func (b Broker) call(ctx context.Context, method string, body any, path ...string) error {
	_, err := b.ask(ctx, method, "", body, path...)
	return err
}

// answerMost bounds how much of an answer is read: the longest one is a list of many dead letters.
const answerMost = 16 << 20

// ask sends a request to the management API. Names may contain any character: the default vhost is called "/".
func (b Broker) ask(ctx context.Context, method, query string, body any, path ...string) ([]byte, error) {
	target, err := url.Parse(b.Management)
	if err != nil {
		return nil, fmt.Errorf("address of the management API: %w", err)
	}
	user := target.User
	target.User = nil
	var escaped strings.Builder
	for _, part := range path {
		escaped.WriteString("/" + url.PathEscape(part))
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode a call of the management API: %w", err)
	}
	if body == nil {
		encoded = []byte("{}")
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String()+"/api"+escaped.String()+query, bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("call of the management API: %w", err)
	}
	password, _ := user.Password()
	request.SetBasicAuth(user.Username(), password)
	request.Header.Set("Content-Type", "application/json")

	response, err := management.Do(request)
	if err != nil {
		return nil, fmt.Errorf("call of the management API: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerMost))
	if err != nil {
		return nil, fmt.Errorf("answer of the management API: %w", err)
	}
	gone := method == http.MethodDelete && response.StatusCode == http.StatusNotFound
	if response.StatusCode >= 300 && !gone {
		return nil, fmt.Errorf("%s /api%s: %s %s", method, escaped.String(), response.Status, cmp.Or(string(bytes.TrimSpace(answer)), "(no text)"))
	}
	return answer, nil
}
