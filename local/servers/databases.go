package servers

import (
	"context"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
)

// Databases is the administration of a PostgreSQL server, a private one or an existing one.
type Databases struct {
	URL string // of a superuser, or of a role that may create roles and databases
}

// CreateDatabase makes a role and a database with the same name, which the role owns and no other role may connect to, and
// returns the role's URL. If they exist, they are kept, and the role gets the password.
func (d Databases) CreateDatabase(ctx context.Context, name, password string) (string, error) {
	conn, err := pgx.Connect(ctx, d.URL)
	if err != nil {
		return "", fmt.Errorf("connect to create database %s: %w", name, err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost with it

	var role, database bool
	err = conn.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1),
		       EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&role, &database)
	if err != nil {
		return "", fmt.Errorf("look for database %s: %w", name, err)
	}
	var statements []string
	if !role {
		statements = append(statements, `CREATE ROLE %1$I`)
	}
	statements = append(statements, `ALTER ROLE %1$I LOGIN PASSWORD %2$L`)
	if !database {
		statements = append(statements, `CREATE DATABASE %1$I OWNER %1$I`)
	}
	statements = append(statements, `REVOKE ALL ON DATABASE %1$I FROM PUBLIC`)
	for _, template := range statements {
		// Statements of this kind take no parameters, so the server does the quoting.
		var statement string
		if err := conn.QueryRow(ctx, `SELECT format($1, $2::text, $3::text)`, template, name, password).Scan(&statement); err != nil {
			return "", fmt.Errorf("create database %s: %w", name, err)
		}
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", fmt.Errorf("create database %s: %w", name, err)
		}
	}

	own, err := url.Parse(d.URL)
	if err != nil {
		return "", fmt.Errorf("address of database %s: %w", name, err)
	}
	own.User = url.UserPassword(name, password)
	own.Path = "/" + name
	return own.String(), nil
}
