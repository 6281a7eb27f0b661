package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"example.com/orderflow/local/process"
)

// RabbitMQ is a private RabbitMQ node with the management plugin. Its methods are for one goroutine at a time.
type RabbitMQ struct {
	Broker
	server
	node     string // its name before the @
	ports    ports
	password string
	epmd     *process.Process
	peers    []peer // the other nodes of its cluster
}

// ports of one node, all on 127.0.0.1. A private node needs a private epmd: otherwise the Erlang nodes of a machine share
// one, which would also outlive this program.
type ports struct{ amqp, management, metrics, distribution, epmd int }

// StartRabbitMQ starts a node on the data in options.Dir, which it makes if there is none, and returns when AMQP and the
// management API answer. Durable queues survive Stop and Kill.
func StartRabbitMQ(ctx context.Context, options Options) (*RabbitMQ, error) {
	r, err := newRabbitMQ("rabbitmq", options)
	if err != nil {
		return nil, err
	}
	if r.password, err = r.secret("password"); err != nil {
		r.leave()
		return nil, err
	}
	if err := r.Start(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

func newRabbitMQ(name string, options Options) (*RabbitMQ, error) {
	common, err := open(name, options)
	if err != nil {
		return nil, err
	}
	return &RabbitMQ{server: common, node: "orderflow", ports: ports{amqp: options.Port}}, nil
}

// Start starts the node again after Stop or Kill, on the same ports and data.
func (r *RabbitMQ) Start(ctx context.Context) error {
	chosen := r.ports
	err := r.start(ctx, func(ctx context.Context) (err error) {
		if r.ports, err = chosen.complete(); err != nil { // other ports at each try
			return err
		}
		return r.launch(ctx)
	}, r.answers)
	if err != nil {
		r.stopEpmd()
	}
	return err
}

// Stop shuts the node down, which takes some seconds.
func (r *RabbitMQ) Stop() error {
	if !r.Running() {
		return nil
	}
	err := r.process.Stop(syscall.SIGTERM, time.Minute)
	r.stopEpmd()
	r.leave()
	if err != nil {
		return fmt.Errorf("stop rabbitmq: %w", err)
	}
	r.tell("stopped")
	return nil
}

// Kill ends the node at once, as kill -9 does, with every process that belongs to it.
func (r *RabbitMQ) Kill() {
	r.server.Kill()
	r.stopEpmd()
}

// Control runs rabbitmqctl on the node, for actions that the management API lacks, such as changing a limit of a running node.
func (r *RabbitMQ) Control(ctx context.Context, args ...string) error {
	program, err := findRabbitmqctl()
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, program, append([]string{"--quiet"}, args...)...)
	command.Env, command.Dir = r.environment(), r.options.Dir
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("rabbitmqctl %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return nil
}

// Metrics is the base URL of the node's metrics for Prometheus.
func (r *RabbitMQ) Metrics() string { return "http://" + address(r.ports.metrics) }

// Name is the node's name for other nodes and rabbitmqctl.
func (r *RabbitMQ) Name() string { return r.node + "@localhost" }

// complete chooses the ports that are not chosen yet.
func (p ports) complete() (ports, error) {
	for _, port := range []*int{&p.amqp, &p.management, &p.metrics, &p.distribution, &p.epmd} {
		if *port != 0 {
			continue
		}
		free, err := FreePort()
		if err != nil {
			return ports{}, err
		}
		*port = free
	}
	return p, nil
}

func (r *RabbitMQ) launch(ctx context.Context) error {
	program, err := FindRabbitMQ()
	if err != nil {
		return err
	}
	if err := r.configure(); err != nil {
		return err
	}
	log, err := process.OpenLog(r.LogFile())
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the children have their own copies

	if err := r.startEpmd(ctx, log); err != nil {
		return err
	}
	command := exec.CommandContext(context.WithoutCancel(ctx), program)
	command.Env = r.environment()
	command.Dir = r.options.Dir
	command.Stdout, command.Stderr = log, log
	if r.process, err = process.Start(command, syscall.SIGKILL); err != nil {
		return err
	}
	account := url.UserPassword(adminName, r.password)
	r.URL = (&url.URL{Scheme: "amqp", User: account, Host: address(r.ports.amqp), Path: "/"}).String()
	r.Management = (&url.URL{Scheme: "http", User: account, Host: address(r.ports.management)}).String()
	return nil
}

const adminName = "admin"

// configure writes the node's files. The account is made when the node starts for the first time.
func (r *RabbitMQ) configure() error {
	settings := map[string]string{
		"listeners.tcp.1":        address(r.ports.amqp),
		"management.tcp.ip":      "127.0.0.1",
		"management.tcp.port":    fmt.Sprint(r.ports.management),
		"prometheus.tcp.ip":      "127.0.0.1",
		"prometheus.tcp.port":    fmt.Sprint(r.ports.metrics),
		"default_user":           adminName,
		"default_pass":           r.password,
		"log.console":            "true", // written to our log file
		"log.file":               "false",
		"log.console.use_colors": "off",

		// The defaults are shares of the machine's memory and disk, which others use too.
		"vm_memory_high_watermark.absolute": "512MiB",
		"disk_free_limit.absolute":          "50MB",
		// Memory also holds what quorum queues have written since the last roll-over: the default of 512 MB alone would reach the
		// limit above.
		"raft.wal_max_size_bytes": "64000000",
	}
	maps.Copy(settings, r.formation())
	maps.Copy(settings, r.options.Settings)
	var text strings.Builder
	for name, value := range settings {
		fmt.Fprintf(&text, "%s = %s\n", name, value)
	}
	for name, content := range map[string]string{
		"rabbitmq.conf":   text.String(),
		"enabled_plugins": "[rabbitmq_management, rabbitmq_prometheus].\n",
	} {
		if err := os.WriteFile(r.file(name), []byte(content), 0o600); err != nil {
			return fmt.Errorf("configure rabbitmq: %w", err)
		}
	}
	return nil
}

// environment puts every file and port of the node into its own folder; the node reads nothing from /etc/rabbitmq.
func (r *RabbitMQ) environment() []string {
	env := []string{
		"RABBITMQ_NODENAME=" + r.Name(),
		fmt.Sprintf("RABBITMQ_DIST_PORT=%d", r.ports.distribution),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + r.file("enabled_plugins"),
		"RABBITMQ_CONFIG_FILE=" + r.file("rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + r.file("advanced.config"), // need not exist
		"RABBITMQ_CONF_ENV_FILE=" + r.file("rabbitmq-env.conf"),      // need not exist
		// The start script then becomes the Erlang machine instead of waiting for it, so that the process that is stopped and
		// killed is the node itself.
		"RUNNING_UNDER_SYSTEMD=true",
		"ERL_CRASH_DUMP=" + r.file("erl_crash.dump"),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		fmt.Sprintf("ERL_EPMD_PORT=%d", r.ports.epmd),
		"HOME=" + r.options.Dir, // which has the node's cookie
		"PATH=" + os.Getenv("PATH"),
		"LANG=C.UTF-8",
	}
	for variable, folder := range map[string]string{
		"RABBITMQ_BASE": ".", "RABBITMQ_MNESIA_BASE": "data", "RABBITMQ_LOG_BASE": "log", "RABBITMQ_GENERATED_CONFIG_DIR": "config",
	} {
		env = append(env, variable+"="+r.file(folder))
	}
	return env
}

// startEpmd starts Erlang's port mapper in the foreground. If the node started it, it would become a daemon.
func (r *RabbitMQ) startEpmd(ctx context.Context, log *os.File) error {
	r.stopEpmd()
	program, err := findEpmd()
	if err != nil {
		return err
	}
	command := exec.CommandContext(context.WithoutCancel(ctx), program, "-port", fmt.Sprint(r.ports.epmd), "-address", "127.0.0.1")
	command.Stdout, command.Stderr = log, log
	if r.epmd, err = process.Start(command, syscall.SIGKILL); err != nil {
		return err
	}
	return r.introduce(ctx)
}

func (r *RabbitMQ) stopEpmd() {
	if r.epmd != nil && r.epmd.Running() {
		r.epmd.Kill()
	}
}

// answers checks both ports of the node: AMQP, where the server answers the client's protocol header, and the management
// API, with the password that only this node has.
func (r *RabbitMQ) answers(ctx context.Context) error {
	if !r.epmd.Running() {
		r.process.Kill() // its port was taken, so that the node cannot register
		return errors.New("epmd did not start")
	}
	if err := greet(ctx, address(r.ports.amqp)); err != nil {
		return err
	}
	return r.ping(ctx)
}

// greet opens an AMQP 0-9-1 connection up to the server's first frame, Connection.Start.
func greet(ctx context.Context, address string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is lost with it
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := conn.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return err
	}
	frame := make([]byte, 11) // type, channel (2), size (4), class (2), method (2)
	if _, err := io.ReadFull(conn, frame); err != nil {
		return fmt.Errorf("wait for AMQP's Connection.Start: %w", err)
	}
	if frame[0] != 1 || frame[8] != 10 || frame[10] != 10 {
		return fmt.Errorf("%s answered % x, which is not AMQP's Connection.Start", address, frame)
	}
	return nil
}
