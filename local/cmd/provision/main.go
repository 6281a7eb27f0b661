// Provision gives every program of Orderflow its account: a role and a database at PostgreSQL, a user at RabbitMQ. It runs
// to its end before the programs start, where no operator makes the accounts. Existing accounts are kept and get the given
// passwords, so it can run repeatedly.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/orderflow/local/servers"
)

const (
	timeout = 3 * time.Minute // the servers may still be starting, perhaps on a slow machine
	most    = 5 * time.Second // the longest pause between two tries
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:]))
}

// run returns the exit code: 0 when all accounts are there, 1 when they are not, 2 when the settings are wrong.
func run(ctx context.Context, args []string) int {
	if len(args) > 0 {
		fmt.Fprintln(os.Stderr, "provision: takes no arguments, but settings from the environment")
		return 2
	}
	s, err := readSettings()
	if err != nil {
		fmt.Fprintf(os.Stderr, "provision: the settings are not right:\n%v\n", err)
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := persist(ctx, s.provision); err != nil {
		fmt.Fprintf(os.Stderr, "provision: %v\n", err)
		return 1
	}
	fmt.Fprintf(os.Stderr, "provision: %d databases and %d broker users are there\n", len(s.databases), len(s.users))
	return 0
}

// persist tries until it succeeds or ctx ends. A server that is not up yet and one that refuses the account look alike, so
// every new error is printed at once.
func persist(ctx context.Context, try func(context.Context) error) error {
	told := ""
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, most) {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil && err.Error() != told {
			told = err.Error()
			fmt.Fprintln(os.Stderr, "provision: not yet:", told)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("given up: %w", errors.Join(err, ctx.Err()))
		case <-time.After(wait):
		}
	}
}

// provision makes all accounts that do not exist.
func (s settings) provision(ctx context.Context) error {
	for _, d := range s.databases {
		if _, err := s.postgres.CreateDatabase(ctx, d.name, d.password); err != nil {
			return err
		}
	}
	vhost, err := s.rabbitmq.Vhost()
	if err != nil {
		return err
	}
	for _, user := range s.users {
		if _, err := s.rabbitmq.CreateUser(ctx, vhost, user); err != nil {
			return fmt.Errorf("broker user %s: %w", user.Name, err)
		}
	}
	return nil
}

// settings are read from the environment.
type settings struct {
	postgres  servers.Databases
	rabbitmq  servers.Broker
	databases []database
	users     []servers.BrokerUser
}

// database is a database that is owned by a role with the same name.
type database struct{ name, password string }
