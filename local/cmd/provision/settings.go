package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"

	"example.com/orderflow/local/servers"
)

// readSettings reads all settings, and reports all mistakes at once:
//
//	POSTGRES_URL             of an administrator
//	RABBITMQ_URL             the same; its path is the vhost
//	RABBITMQ_MANAGEMENT_URL  the same, of the management API
//	…_DATABASE_PASSWORD      of each service: ORDERS, PAYMENTS, …
//	…_RABBITMQ_PASSWORD      of them and of BFF_WEB
func readSettings() (settings, error) {
	var mistakes []error
	address := func(name string, schemes ...string) string {
		given := os.Getenv(name)
		// The error of url.Parse would repeat the password.
		if u, err := url.Parse(given); err != nil || u.Hostname() == "" || u.User == nil || !slices.Contains(schemes, u.Scheme) {
			mistakes = append(mistakes, fmt.Errorf("  %s must have the form %s://user:password@host:port/…", name, schemes[0]))
		}
		return given
	}
	password := func(program, server string) string {
		name := servers.Setting(program) + "_" + server + "_PASSWORD"
		given := os.Getenv(name)
		switch {
		case given == "":
			mistakes = append(mistakes, fmt.Errorf("  %s is not set", name))
		case url.QueryEscape(given) != given: // other components put it into a URL without escaping it
			mistakes = append(mistakes, fmt.Errorf("  %s may have only letters, digits and -_.~", name))
		}
		return given
	}
	s := settings{
		postgres: servers.Databases{URL: address("POSTGRES_URL", "postgres", "postgresql")},
		rabbitmq: servers.Broker{
			URL:        address("RABBITMQ_URL", "amqp", "amqps"),
			Management: address("RABBITMQ_MANAGEMENT_URL", "http", "https"),
		},
	}
	for _, service := range servers.Services() {
		s.databases = append(s.databases, database{service, password(service, "DATABASE")})
	}
	for _, user := range servers.BrokerUsers() {
		user.Password = password(user.Name, "RABBITMQ")
		s.users = append(s.users, user)
	}
	return s, errors.Join(mistakes...)
}
