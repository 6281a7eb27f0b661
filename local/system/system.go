// Package system runs the whole of Orderflow as processes of this machine: PostgreSQL, RabbitMQ, the simulator of the outside
// world, the services in any number of replicas, bff-web and the gateway. Everything listens on loopback, keeps its data in
// one folder, and ends with the program that started it.
package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"example.com/orderflow/local/servers"
)

// Options says what to run. Only Dir and Binaries are needed.
type Options struct {
	Dir         string              // data, logs and secrets; a system that is started again on the same folder continues
	Binaries    string              // folder with the programs, as Build makes it
	Replicas    map[string]int      // by program; default 1. The gateway and the simulator always have one
	Env         map[string][]string // further NAME=value settings by program; "" is for all
	GatewayPort int                 // 0: a free one. All other ports are always chosen

	// Amend, when given, changes the settings (NAME=value) of a program last. They contain all addresses of other programs and
	// servers, so it can also redirect connections, for example through a proxy.
	Amend func(program string, env []string) ([]string, error)

	Restart bool      // start a part that ended by itself again, as a container's restart policy does
	Log     io.Writer // gets a line for each event; nil: no log

	// PostgresSettings are further settings of a private PostgreSQL, such as {"track_commit_timestamp": "on"}.
	PostgresSettings map[string]string

	// Databases and Broker, when given, are existing servers. Their accounts must be administrators that may create databases,
	// roles and users. Nil: private servers are started.
	Databases *servers.Databases
	Broker    *servers.Broker
}

// System is a running Orderflow.
type System struct {
	GatewayURL    string
	SimulatorURL  string
	AdminURL      string // the gateway's administrative address, with its metrics
	RabbitMetrics string // of RabbitMQ's own metrics; empty: it is not private

	Databases servers.Databases // administration of PostgreSQL
	Broker    servers.Broker    // administration of RabbitMQ
	Postgres  *Part             // nil: it is not private
	Rabbit    *Part             // nil: it is not private

	options  Options
	node     *servers.RabbitMQ // the node of Rabbit
	plan     plan
	programs []*Part
	held     map[string][]net.Listener // ports of programs that have not started yet, by part
	end      context.CancelFunc
	watching sync.WaitGroup
}

// PortTaken is the error when another process listens on the gateway's port.
type PortTaken struct{ Port int }

func (e PortTaken) Error() string {
	return fmt.Sprintf("port %d is taken by another program: set GATEWAY_PORT to a free one", e.Port)
}

// Start runs the system and returns when every part of it is ready.
func Start(ctx context.Context, options Options) (*System, error) {
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, fmt.Errorf("folder of the system: %w", err)
	}
	options.Dir = dir
	if options.Log == nil {
		options.Log = io.Discard
	}
	options.Log = &lines{to: options.Log}

	s := &System{options: options}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	err = s.reserve(ctx)
	if err == nil {
		err = s.startServers(ctx)
	}
	if err == nil {
		err = s.createAccounts(ctx)
	}
	if err == nil {
		err = s.startPrograms(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	for _, part := range s.Parts() {
		s.watching.Go(func() { part.supervise(life, options.Restart) })
	}
	return s, nil
}

// Stop ends the system from the outermost program inwards and returns when all of its processes have ended.
func (s *System) Stop() error {
	s.end()
	s.watching.Wait()
	for _, held := range s.held {
		for _, listener := range held {
			_ = listener.Close() // usually closed already, by the program that has the port now
		}
	}
	var failed []error
	for _, name := range programs {
		failed = append(failed, together(s.replicas(name), (*Part).Stop))
	}
	if s.Rabbit != nil {
		failed = append(failed, s.Rabbit.Stop())
	}
	if s.Postgres != nil {
		failed = append(failed, s.Postgres.Stop())
	}
	return errors.Join(failed...)
}

// Remove removes the data of a stopped system from its folder. Data on servers that the caller provided stays.
func Remove(dir string) error {
	for _, name := range []string{"postgres", "rabbitmq", "simulator", "secrets", "logs"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("remove what the system keeps: %w", err)
		}
	}
	return nil
}

// Programs lists the replicas of all programs, the outermost first.
func (s *System) Programs() []*Part { return s.programs }

// Parts lists the programs and the private servers.
func (s *System) Parts() []*Part {
	return slices.DeleteFunc(append(slices.Clone(s.programs), s.Rabbit, s.Postgres), func(p *Part) bool { return p == nil })
}

// Program is a replica of a program, counted from 1; nil: there is none.
func (s *System) Program(name string, number int) *Part {
	for _, part := range s.programs {
		if part.Name == (replica{program: name, number: number}).name() {
			return part
		}
	}
	return nil
}

// Named lists the parts with a name: "orders" all replicas, "orders-2" one, "postgres" and "rabbitmq" a server.
func (s *System) Named(name string) []*Part {
	return slices.DeleteFunc(s.Parts(), func(p *Part) bool { return p.Name != name && programOf(p.Name) != name })
}

// DatabaseURL is the URL of a service's database, with the service's own role.
func (s *System) DatabaseURL(service string) string { return s.plan.databases[service] }

// RabbitURL is the URL of the broker, with the service's own account.
func (s *System) RabbitURL(service string) string { return s.plan.brokers[service] }

func (s *System) replicas(program string) []*Part {
	return slices.DeleteFunc(slices.Clone(s.programs), func(p *Part) bool { return programOf(p.Name) != program })
}

// programOf removes the number from a part's name.
func programOf(part string) string {
	return strings.TrimRight(strings.TrimRight(part, "0123456789"), "-")
}

// reserve chooses a port for every replica and holds it, so that another system that starts at the same time gets others.
func (s *System) reserve(ctx context.Context) error {
	s.held = make(map[string][]net.Listener)
	for _, program := range programs {
		for number := range replicasOf(program, s.options.Replicas) {
			r := replica{program: program, number: number + 1}
			listener, err := s.listen(ctx, program)
			if err != nil {
				return err
			}
			r.port = servers.Port(listener)
			s.held[r.name()] = append(s.held[r.name()], listener)
			s.plan.replicas = append(s.plan.replicas, r)
		}
	}
	admin, err := servers.Reserve(ctx)
	if err != nil {
		return err
	}
	s.held["gateway-1"] = append(s.held["gateway-1"], admin)
	s.plan.adminPort = servers.Port(admin)

	s.GatewayURL, s.SimulatorURL = s.plan.urls("gateway"), s.plan.urls("simulator")
	s.AdminURL = fmt.Sprintf("http://127.0.0.1:%d", s.plan.adminPort)
	return nil
}

func (s *System) listen(ctx context.Context, program string) (net.Listener, error) {
	switch {
	case program != "gateway":
		return servers.Reserve(ctx)
	case s.options.GatewayPort == 0:
		for {
			listener, err := servers.Reserve(ctx)
			if err != nil || !takenOnIPv6(ctx, servers.Port(listener)) {
				return listener, err
			}
			_ = listener.Close() // it was never used
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", s.options.GatewayPort))
	if err != nil {
		return nil, errors.Join(PortTaken{Port: s.options.GatewayPort}, err)
	}
	if takenOnIPv6(ctx, s.options.GatewayPort) {
		return nil, errors.Join(PortTaken{Port: s.options.GatewayPort}, listener.Close())
	}
	return listener, nil
}

// takenOnIPv6 checks the second address of localhost, because the gateway listens on both.
func takenOnIPv6(ctx context.Context, port int) bool {
	probe, err := (&net.ListenConfig{}).Listen(ctx, "tcp6", fmt.Sprintf("[::1]:%d", port))
	if err == nil {
		_ = probe.Close() // the probe was not used
	}
	return errors.Is(err, syscall.EADDRINUSE)
}

// startPrograms starts all programs at once: each waits for what it needs.
func (s *System) startPrograms(ctx context.Context) error {
	// All programs and servers share this machine. A Go program that assumes that it has all cores keeps some of them awake looking
	// for work: a tenth of the cost of an order on two cores.
	share := fmt.Sprintf("GOMAXPROCS=%d", max(1, runtime.NumCPU()/2))
	for _, r := range s.plan.replicas {
		// The caller's environment applies as well (PROVIDER_LATENCY=1s make up); the last value of a name counts.
		env := slices.Concat([]string{"DEMO_SECRET=demo", share}, inherited(), s.plan.env(r), s.options.Env[""], s.options.Env[r.program])
		if amend := s.options.Amend; amend != nil {
			var err error
			if env, err = amend(r.program, env); err != nil {
				return fmt.Errorf("settings of %s: %w", r.name(), err)
			}
		}
		s.programs = append(s.programs, newPart(r.name(), r.url(), &program{
			path: filepath.Join(s.options.Binaries, r.program), env: env, dir: s.options.Dir, url: r.url(), held: s.held[r.name()],
			logFile: filepath.Join(s.options.Dir, "logs", r.name()+".log"),
		}, s.options.Log))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return together(s.programs, func(p *Part) error {
		if err := p.Start(ctx); err != nil {
			cancel() // waiting for the others is useless
			return err
		}
		_, _ = fmt.Fprintf(s.options.Log, "%s: ready at %s\n", p.Name, p.URL)
		return nil
	})
}

// inherited is the caller's environment without the administrators' URLs.
func inherited() []string {
	return slices.DeleteFunc(os.Environ(), func(setting string) bool {
		name, _, _ := strings.Cut(setting, "=")
		return slices.Contains([]string{"DATABASE_URL", "RABBITMQ_URL", "RABBITMQ_MANAGEMENT_URL"}, name)
	})
}

// together calls do for several parts at the same time.
func together(parts []*Part, do func(*Part) error) error {
	failed := make([]error, len(parts))
	var all sync.WaitGroup
	for i, part := range parts {
		all.Go(func() { failed[i] = do(part) })
	}
	all.Wait()
	// A part that was given up only because another one failed adds no information.
	causes := slices.DeleteFunc(slices.Clone(failed), func(err error) bool { return err == nil || errors.Is(err, context.Canceled) })
	if len(causes) == 0 {
		causes = failed
	}
	return errors.Join(causes...)
}

// lines lets several parts write to one log without mixing their lines.
type lines struct {
	mu sync.Mutex
	to io.Writer
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(line)
}
