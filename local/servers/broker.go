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

// Broker is the administration of RabbitMQ, ours or one that was there before.
type Broker struct {
	URL        string // AMQP, of an administrator; of a cluster one for each node, separated by commas
	Management string // base address of the management API, with the administrator's name and password
}

// BrokerUser is an account and what it may do in one vhost. The permissions are regular expressions over the names
// of queues and exchanges; an empty one permits nothing.
type BrokerUser struct {
	Name, Password string

	Configure, Write, Read string

	// On a topic exchange RabbitMQ also checks the routing key. An empty TopicExchange leaves that unrestricted.
	TopicExchange, TopicWrite, TopicRead string
}

// ServiceUser is what one service of Orderflow may do: all to what is named after it; publish its own events and no
// other's; listen to everybody's. Only orders commands the others.
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

// WebUser is what a web front end may do: make queues of its own for as long as it is connected, and have the changes of
// orders' status copied into them. It may say nothing.
func WebUser(name string) BrokerUser {
	own := `^` + name + `\..*$`
	return BrokerUser{
		Name:          name,
		Configure:     own,
		Write:         own, // to bind a queue is to write to it
		Read:          `^(` + name + `\..*|orderflow\.events)$`,
		TopicExchange: "orderflow.events",
		TopicRead:     `^orders\.order_[a-z_]+$`,
	}
}

// CreateVhost makes a vhost where the administrator may do everything. One that exists is kept.
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

// DeleteVhost removes a vhost with all its queues. One that is not there is not an error.
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

// Vhost is the name of the vhost that the address is of.
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

// address is that of the first node. Account and vhost are the same at all of them.
func (b Broker) address() (*url.URL, error) {
	first, _, _ := strings.Cut(b.URL, ",")
	address, err := url.Parse(first)
	if err != nil {
		return nil, fmt.Errorf("address of the broker: %w", err)
	}
	return address, nil
}

// ping asks for something that needs the node as well as the account.
func (b Broker) ping(ctx context.Context) error {
	return b.call(ctx, http.MethodGet, nil, "whoami")
}

var management = http.Client{Timeout: 30 * time.Second, Transport: direct.Transport}

// call tells the management API something whose answer says nothing.
func (b Broker) call(ctx context.Context, method string, body any, path ...string) error {
	_, err := b.ask(ctx, method, "", body, path...)
	return err
}

// answerMost bounds what is read of an answer: of those that we ask for, a list of many dead letters is the longest.
const answerMost = 16 << 20

// ask sends one request to the management API. Names may hold any character: the default vhost is called "/".
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
