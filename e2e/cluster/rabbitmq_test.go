package cluster

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/e2e/chaos"
	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
)

// busy is a queue that most messages pass through.
const busy = "orders.events"

// Three nodes under load: the leader of the busiest queue is killed; its next leader is cut off from the others, with its
// clients connected; all three nodes are restarted one after another.
func TestNothingIsLostWhateverHappensToANodeOfTheBroker(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	network := chaos.NewNetwork()
	t.Cleanup(network.Close)
	broker, err := servers.StartCluster(t.Context(), servers.Options{
		Dir: filepath.Join(dir, "rabbitmq"), Log: t.Output(),
		// A node that is cut off is noticed after 6 to 10 s instead of 45 to 75.
		Settings: map[string]string{"net_ticktime": "8"},
	}, 3, network.Between)
	must(t, err)
	t.Cleanup(broker.Kill)
	c := cluster{begin(t, dir, system.Options{Broker: &broker.Broker}), broker, network}
	c.complete()

	c.lose()
	c.cutOff()
	c.replace()
	c.finish()
}

type cluster struct {
	*trial
	broker  *servers.Cluster
	network *chaos.Network
}

// lose kills the leader of the busy queue, and starts it again.
func (c cluster) lose() {
	c.Helper()
	lost := c.leader(0)
	began := time.Now()
	c.broker.Nodes[lost].Kill()
	c.succeeded(lost, "the leader was killed", began)
	c.delivers("with a node killed")
	must(c, c.broker.Nodes[lost].Start(c.Context()))
	c.complete()
}

// cutOff cuts the leader of the busy queue off from the other nodes until it has noticed it.
func (c cluster) cutOff() {
	c.Helper()
	cut := c.leader(0)
	between := func(do func(way string) error) {
		for i := range c.broker.Nodes {
			if i != cut {
				must(c, do(fmt.Sprintf("rabbitmq-%d to rabbitmq-%d", i+1, cut+1)), do(fmt.Sprintf("rabbitmq-%d to rabbitmq-%d", cut+1, i+1)))
			}
		}
	}
	began := time.Now()
	between(func(way string) error { return c.network.Break(way, chaos.BlackHole) })
	c.succeeded(cut, "the leader was cut off", began)
	c.delivers("with a node cut off")
	c.until("the node that is cut off has sent its clients away", func() bool { return !c.listens(cut) })
	c.Logf("the node that was cut off refused clients after %.1f s", time.Since(began).Seconds())
	between(func(way string) error { _, err := c.network.Mend(way); return err })
	c.until("the node takes clients again", func() bool { return c.listens(cut) })
	c.complete()
}

// replace restarts all nodes as an upgrade does: a node waits while a queue needs it for its majority.
func (c cluster) replace() {
	c.Helper()
	for i, node := range c.broker.Nodes {
		c.until("the next node may go", func() bool { return node.Dispensable(c.Context()) == nil })
		must(c, node.Stop())
		c.delivers(fmt.Sprintf("with node %d being replaced", i+1))
		must(c, node.Start(c.Context()))
		c.complete()
	}
}

// complete waits until every queue of a service has replicas on all three nodes, and all of them are online.
func (c cluster) complete() {
	c.Helper()
	queues, err := c.broker.Queues(c.Context())
	must(c, err)
	for _, queue := range queues {
		if strings.Contains(queue.Name, ".live.") {
			continue // a queue of bff-web, which is deleted with its consumer
		}
		c.until(queue.Name+" is on all nodes", func() bool {
			where, err := c.broker.Replicas(c.Context(), queue.Name)
			return err == nil && len(where.Members) == 3 && len(where.Online) == 3
		})
	}
}

// leader is the node that leads the busy queue, as the asked node knows it.
func (c cluster) leader(asked int) (leads int) {
	c.Helper()
	c.until("somebody leads "+busy, func() bool {
		where, err := c.broker.Nodes[asked].Replicas(c.Context(), busy)
		leads = slices.IndexFunc(c.broker.Nodes, func(r *servers.RabbitMQ) bool { return r.Name() == where.Leader })
		return err == nil && leads >= 0
	})
	return leads
}

// succeeded waits until another node leads the busy queue.
func (c cluster) succeeded(lost int, how string, began time.Time) {
	c.Helper()
	c.until("another node leads "+busy, func() bool { return c.leader((lost+1)%3) != lost })
	c.Logf("%s: another node led after %.1f s", how, time.Since(began).Seconds())
}

func (c cluster) listens(node int) bool {
	address := strings.TrimPrefix(c.broker.Nodes[node].URL, "amqp://")
	_, address, _ = strings.Cut(strings.TrimSuffix(address, "/"), "@")
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(c.Context(), "tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}
