package system

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"example.com/orderflow/local/secret"
	"example.com/orderflow/local/servers"
)

// startServers starts the servers that the caller did not provide, both at the same time.
func (s *System) startServers(ctx context.Context) error {
	var postgres, rabbit error
	var both sync.WaitGroup
	if given := s.options.Databases; given != nil {
		s.Databases = *given
	} else {
		both.Go(func() { postgres = s.startPostgres(ctx) })
	}
	if given := s.options.Broker; given != nil {
		s.Broker = *given
	} else {
		both.Go(func() { rabbit = s.startRabbit(ctx) })
	}
	both.Wait()
	return errors.Join(postgres, rabbit)
}

func (s *System) startPostgres(ctx context.Context) error {
	server, err := servers.StartPostgres(ctx, servers.Options{
		Dir: filepath.Join(s.options.Dir, "postgres"), Log: s.options.Log, Settings: s.options.PostgresSettings,
	})
	if err != nil {
		return err
	}
	s.Databases = server.Databases
	s.Postgres = newPart("postgres", server.URL, server, s.options.Log)
	return nil
}

func (s *System) startRabbit(ctx context.Context) error {
	server, err := servers.StartRabbitMQ(ctx, servers.Options{Dir: filepath.Join(s.options.Dir, "rabbitmq"), Log: s.options.Log})
	if err != nil {
		return err
	}
	s.Broker, s.node, s.RabbitMetrics = server.Broker, server, server.Metrics()
	s.Rabbit = newPart("rabbitmq", server.Broker.URL, server, s.options.Log)
	return nil
}

// Rabbitmqctl runs rabbitmqctl on the node, which has to be a private one and running.
func (s *System) Rabbitmqctl(ctx context.Context, args ...string) error {
	if s.node == nil {
		return errors.New("rabbitmqctl: the broker is not ours")
	}
	return s.node.Control(ctx, args...)
}

// createAccounts gives each service a database and a broker account of its own, and bff-web a broker account that can only
// consume. Their passwords are generated once.
func (s *System) createAccounts(ctx context.Context) error {
	secrets := filepath.Join(s.options.Dir, "secrets")
	var err error
	if s.plan.identity, err = keyFile(secrets, "identity-key"); err != nil {
		return err
	}
	if s.plan.session, err = keyFile(secrets, "session-key"); err != nil {
		return err
	}
	vhost, err := s.Broker.Vhost()
	if err != nil {
		return err
	}
	s.plan.data = filepath.Join(s.options.Dir, "simulator")
	s.plan.databases, s.plan.brokers = make(map[string]string), make(map[string]string)
	for _, service := range servers.Services() {
		password, err := secret.File(filepath.Join(secrets, service+"-database"), rand.Text)
		if err != nil {
			return err
		}
		if s.plan.databases[service], err = s.Databases.CreateDatabase(ctx, service, password); err != nil {
			return fmt.Errorf("account of %s: %w", service, err)
		}
	}
	for _, user := range servers.BrokerUsers() {
		if user.Password, err = secret.File(filepath.Join(secrets, user.Name+"-broker"), rand.Text); err != nil {
			return err
		}
		if s.plan.brokers[user.Name], err = s.Broker.CreateUser(ctx, vhost, user); err != nil {
			return fmt.Errorf("account of %s: %w", user.Name, err)
		}
	}
	return nil
}
