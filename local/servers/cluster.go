package servers

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"example.com/orderflow/local/secret"
)

// Cluster is several RabbitMQ nodes that form one broker: accounts, queues and their messages are on all of them.
type Cluster struct {
	Broker
	Nodes []*RabbitMQ
}

// Between can redirect the connection from one node of a cluster to another: it gets the other's address and returns the
// address to use, for example that of a proxy. Nodes are called "rabbitmq-1", "rabbitmq-2", ….
type Between func(from, to, address string) (string, error)

// partitions is the behaviour of a node that sees less than half of the others: it pauses. Otherwise both sides would go on
// separately, and could not be joined again when they meet.
const partitions = "pause_minority"

// peer is another node of the cluster, as a node sees it.
type peer struct {
	name string // before the @
	port int    // port of 127.0.0.1 that leads to the node
}

// StartCluster starts n nodes, each with its data in a folder of its own below options.Dir, and returns when all of them
// answer. A nil between redirects nothing.
func StartCluster(ctx context.Context, options Options, n int, between Between) (*Cluster, error) {
	c := &Cluster{}
	err := c.prepare(options, n)
	if err == nil {
		err = c.acquaint(between)
	}
	if err == nil {
		err = c.start(ctx)
	}
	if err != nil {
		c.Kill()
		return nil, err
	}
	urls := make([]string, n)
	for i, r := range c.Nodes {
		urls[i] = r.URL
	}
	c.Broker = Broker{URL: strings.Join(urls, ","), Management: c.Nodes[0].Management}
	return c, nil
}

// Kill ends all nodes at once.
func (c *Cluster) Kill() {
	for _, r := range c.Nodes {
		r.Kill()
		r.leave()
	}
}

// prepare makes the nodes and chooses all their ports, because each node has to know the others before it starts.
func (c *Cluster) prepare(options Options, n int) error {
	settings := map[string]string{"cluster_partition_handling": partitions}
	maps.Copy(settings, options.Settings)
	for i := range n {
		r, err := newRabbitMQ(fmt.Sprintf("rabbitmq-%d", i+1), Options{
			Dir: filepath.Join(options.Dir, fmt.Sprint(i+1)), Log: options.Log, Settings: settings,
		})
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, r)
		r.node = fmt.Sprintf("orderflow-%d", i+1)
		if err := r.adopt(c.Nodes[0]); err != nil {
			return err
		}
		if r.ports, err = r.ports.complete(); err != nil {
			return err
		}
	}
	return nil
}

// acquaint tells each node how to reach the others.
func (c *Cluster) acquaint(between Between) error {
	for _, from := range c.Nodes {
		for _, to := range c.Nodes {
			if from == to {
				continue
			}
			p, err := from.way(to, between)
			if err != nil {
				return fmt.Errorf("way from %s to %s: %w", from.name, to.name, err)
			}
			from.peers = append(from.peers, p)
		}
	}
	return nil
}

// start starts the nodes. In a new cluster the others join the first node; in an existing one they wait for each other.
func (c *Cluster) start(ctx context.Context) error {
	first, rest := c.Nodes[:1], c.Nodes[1:]
	if _, err := os.Stat(c.Nodes[0].file("data")); err == nil {
		first, rest = nil, c.Nodes
	}
	for _, nodes := range [][]*RabbitMQ{first, rest} {
		failed := make([]error, len(nodes))
		var all sync.WaitGroup
		for i, r := range nodes {
			all.Go(func() { failed[i] = r.Start(ctx) })
		}
		all.Wait()
		if err := errors.Join(failed...); err != nil {
			return err
		}
	}
	return nil
}

// adopt gives a node what it shares with the first node: the administrator's password, and the cookie with which Erlang
// nodes authenticate each other.
func (r *RabbitMQ) adopt(first *RabbitMQ) error {
	for _, name := range []string{"password", ".erlang.cookie"} {
		text, err := secret.File(first.file(name), rand.Text)
		if err == nil {
			_, err = secret.File(r.file(name), func() string { return text })
		}
		if err != nil {
			return err
		}
	}
	var err error
	r.password, err = r.secret("password")
	return err
}

func (r *RabbitMQ) way(to *RabbitMQ, between Between) (peer, error) {
	p := peer{name: to.node, port: to.ports.distribution}
	if between == nil {
		return p, nil
	}
	through, err := between(r.name, to.name, address(p.port))
	if err != nil {
		return p, err
	}
	led, err := net.ResolveTCPAddr("tcp4", through)
	if err != nil {
		return p, err
	}
	p.port = led.Port
	return p, nil
}

// formation is the configuration with which a node finds the first one when it starts for the first time.
func (r *RabbitMQ) formation() map[string]string {
	if len(r.peers) == 0 {
		return nil
	}
	return map[string]string{
		"cluster_formation.peer_discovery_backend": "classic_config",
		"cluster_formation.classic_config.nodes.1": "orderflow-1@localhost",
		"cluster_formation.classic_config.nodes.2": r.Name(),
	}
}

// introduce registers the node's peers at the node's own epmd, so that the connection to each of them can be redirected. epmd
// remembers a registration while the registering connection is open: here, until epmd ends.
func (r *RabbitMQ) introduce(ctx context.Context) error {
	for _, p := range r.peers {
		if err := register(ctx, address(r.ports.epmd), p); err != nil {
			return fmt.Errorf("introduce %s to %s: %w", p.name, r.node, err)
		}
	}
	return nil
}

// register registers a peer as an Erlang node does when it starts (ALIVE2_REQ of the distribution protocol).
func register(ctx context.Context, epmd string, p peer) error {
	const (
		alive2, alive2Answer, alive2LongAnswer = 120, 121, 118
		normalNode, tcp4                       = 77, 0
		highest, lowest                        = 6, 5 // versions of the protocol
	)
	conn, err := dialPatiently(ctx, epmd)
	if err != nil {
		return err
	}
	request := binary.BigEndian.AppendUint16([]byte{alive2}, uint16(p.port))
	request = append(request, normalNode, tcp4, 0, highest, 0, lowest)
	request = binary.BigEndian.AppendUint16(request, uint16(len(p.name)))
	request = append(request, p.name...)
	request = append(request, 0, 0) // nothing extra
	request = append(binary.BigEndian.AppendUint16(nil, uint16(len(request))), request...)
	if _, err := conn.Write(request); err != nil {
		return errors.Join(err, conn.Close())
	}
	answer := make([]byte, 2)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return errors.Join(err, conn.Close())
	}
	if answer[0] != alive2Answer && answer[0] != alive2LongAnswer || answer[1] != 0 {
		return errors.Join(fmt.Errorf("epmd answers % x", answer), conn.Close())
	}
	go func() { // until epmd ends
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}()
	return nil
}

// dialPatiently connects to a program that has just been started.
func dialPatiently(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp4", address)
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}
