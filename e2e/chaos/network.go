package chaos

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Network is a proxy between the programs and all that they connect to. Its ways are called "payments to rabbitmq" and so on;
// all replicas of a program use the same way.
type Network struct {
	mu   sync.Mutex
	ways map[string]*way
}

// NewNetwork makes a network without ways.
func NewNetwork() *Network { return &Network{ways: map[string]*way{}} }

// led are the settings whose addresses are replaced by addresses of the network, and the name of the other end. The addresses
// of the tokens' keys, and of the gateway for the web pages, are not replaced.
var led = map[string]string{
	"DATABASE_URL": "database", "RABBITMQ_URL": "rabbitmq",
	"PROVIDER_URL": "provider", "CARRIER_URL": "carrier", "SUPPLIER_URL": "supplier", "BFF_URL": "bff-web",
}

// directory is the setting whose entries name their other ends: orders=http://127.0.0.1:8082.
const directory = "SERVICES"

// Amend replaces the addresses in a program's settings. It is for system.Options.
func (n *Network) Amend(program string, env []string) ([]string, error) {
	amended := make([]string, len(env))
	for i, setting := range env {
		amended[i] = setting
		name, value, _ := strings.Cut(setting, "=")
		to, ok := led[name]
		if !ok && name != directory {
			continue
		}
		entries := strings.Split(value, ",")
		for j, address := range entries {
			before := ""
			if name == directory {
				to, address, _ = strings.Cut(address, "=")
				before = to + "="
			}
			through, err := n.lead(program+" to "+to, address)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			entries[j] = before + through
		}
		amended[i] = name + "=" + strings.Join(entries, ",")
	}
	return amended, nil
}

// Between replaces the address with which a node of a cluster reaches another one. It is for servers.StartCluster.
func (n *Network) Between(from, to, address string) (string, error) {
	return n.door(from+" to "+to, address)
}

// lead returns the URL with which a way reaches the host of address.
func (n *Network) lead(name, address string) (string, error) {
	target, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if target.Host, err = n.door(name, target.Host); err != nil {
		return "", err
	}
	return target.String(), nil
}

// door returns the address with which a way reaches another address.
func (n *Network) door(name, address string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := n.ways[name]
	if w == nil {
		w = newWay()
		n.ways[name] = w
	}
	return w.door(address)
}

// Break begins a fault of a way, which lasts until Mend.
func (n *Network) Break(name string, with Kind) error {
	w, err := n.way(name)
	if err == nil {
		w.set(with)
	}
	return err
}

// Mend ends the fault of a way, and returns how often it had an effect.
func (n *Network) Mend(name string) (hits int, err error) {
	w, err := n.way(name)
	if err != nil {
		return 0, err
	}
	return w.set(""), nil
}

// from lists the ways of a program.
func (n *Network) from(program string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(n.ways)), func(name string) bool { return !strings.HasPrefix(name, program+" to ") })
}

func (n *Network) way(name string) (*way, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if w := n.ways[name]; w != nil {
		return w, nil
	}
	return nil, fmt.Errorf("the network has no way from %s", name)
}

// Close ends all ways and their connections.
func (n *Network) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.ways {
		w.close()
	}
}

// way is the connection of one program to a server with one or more addresses, each with a door (a listener) in front of it.
type way struct {
	life context.Context
	end  context.CancelFunc
	all  sync.WaitGroup

	mu      sync.Mutex
	doors   map[string]net.Listener // by the address behind it
	lines   map[*line]bool
	wrong   Kind          // the present fault; empty: none
	changed chan struct{} // closed when wrong changes
	hits    int
}

func newWay() *way {
	life, end := context.WithCancel(context.Background())
	return &way{life: life, end: end, doors: map[string]net.Listener{}, lines: map[*line]bool{}, changed: make(chan struct{})}
}

// door returns the address of the door in front of an address.
func (w *way) door(address string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	listener, ok := w.doors[address]
	if !ok {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(w.life, "tcp4", "127.0.0.1:0"); err != nil {
			return "", err
		}
		w.doors[address] = listener
		w.all.Go(func() { w.serve(listener, address) })
	}
	return listener.Addr().String(), nil
}

func (w *way) serve(listener net.Listener, address string) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return // closed
		}
		w.all.Go(func() {
			far, err := (&net.Dialer{}).DialContext(w.life, "tcp", address)
			if err != nil {
				reset(near) // the closest possible imitation of a refused connection
				return
			}
			(&line{way: w, near: near, far: far}).run()
		})
	}
}

// state is the present fault, and a channel that is closed when it changes.
func (w *way) state() (Kind, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wrong, w.changed
}

func (w *way) hit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hits++
}

// set changes the fault, and returns how often the previous one had an effect.
func (w *way) set(wrong Kind) (hits int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	hits, w.hits, w.wrong = w.hits, 0, wrong
	close(w.changed)
	w.changed = make(chan struct{})
	for l := range w.lines {
		switch wrong {
		case Reset:
			l.reset()
			w.hits++
		case HalfOpen:
			l.lost.Store(true)
			reset(l.far)
			w.hits++
		}
	}
	return hits
}

func (w *way) close() {
	w.end()
	w.mu.Lock()
	for _, door := range w.doors {
		_ = door.Close() // it is no longer used
	}
	for l := range w.lines {
		l.reset()
	}
	w.mu.Unlock()
	w.all.Wait()
}
