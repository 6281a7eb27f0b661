package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
)

// settings are read from the environment.
type settings struct {
	repo        string // root of the checkout
	dir         string // data and logs
	gatewayPort int
	replicas    int
	traces      bool // keep and show them
	databases   *servers.Databases
	broker      *servers.Broker
}

func readSettings() (settings, error) {
	var s settings
	var mistakes []error
	number := func(name string, fallback int) int {
		n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(fallback)))
		if err != nil || n < 0 {
			mistakes = append(mistakes, fmt.Errorf("%s must be a number, is %q", name, os.Getenv(name)))
		}
		return n
	}
	s.gatewayPort = number("GATEWAY_PORT", 8080)
	s.replicas = number("REPLICAS", 1)
	s.traces = number("TRACES", 0) > 0

	repo, err := system.FindRepo(".")
	if err != nil {
		mistakes = append(mistakes, err)
	}
	s.repo = repo
	s.dir, err = filepath.Abs(cmp.Or(os.Getenv("ORDERFLOW_DIR"), ownFolder(repo)))
	if err != nil {
		mistakes = append(mistakes, err)
	}

	if address := os.Getenv("DATABASE_URL"); address != "" {
		s.databases = &servers.Databases{URL: address}
	}
	if address := os.Getenv("RABBITMQ_URL"); address != "" {
		broker, err := brokerAt(address, os.Getenv("RABBITMQ_MANAGEMENT_URL"))
		if err != nil {
			mistakes = append(mistakes, err)
		}
		s.broker = &broker
	}
	return s, errors.Join(mistakes...)
}

// ownFolder is the checkout's own folder, the default.
func ownFolder(repo string) string { return filepath.Join(repo, ".local") }

// brokerAt fills in the management address. The default is the host of address, the first one of a cluster, with the same
// account.
func brokerAt(address, management string) (servers.Broker, error) {
	first, _, _ := strings.Cut(address, ",")
	u, err := url.Parse(first)
	if err != nil || u.User == nil || u.Hostname() == "" {
		return servers.Broker{}, errors.New("RABBITMQ_URL must have the form amqp://user:password@host:port/vhost")
	}
	if management == "" {
		management = (&url.URL{Scheme: "http", User: u.User, Host: net.JoinHostPort(u.Hostname(), "15672")}).String()
	}
	return servers.Broker{URL: address, Management: management}, nil
}

// build compiles the programs and returns the options to run them with.
func (s settings) build(ctx context.Context, dir string, out io.Writer) (system.Options, error) {
	began := time.Now()
	fmt.Fprintln(out, "building the programs (the first time, Go fetches what they need)")
	binaries := filepath.Join(dir, "bin")
	if err := system.Build(ctx, s.repo, binaries); err != nil {
		return system.Options{}, err
	}
	fmt.Fprintf(out, "built in %.1f s\n", time.Since(began).Seconds())

	return system.Options{
		Dir: dir, Binaries: binaries, Replicas: system.Each(s.replicas), GatewayPort: s.gatewayPort, Restart: true, Log: out,
		Databases: s.databases, Broker: s.broker,
	}, nil
}
