package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"example.com/orderflow/pkg/outgoing"
	"github.com/caarlos0/env/v11"
)

// healthWithin is longer than /readyz waits for the database, and shorter than the time that a container's health check
// has.
const healthWithin = 4 * time.Second

// health implements `program -health`: with the settings of the program that runs beside it, it asks that program whether
// it is ready. Our images have no shell and no curl that a container's health check could use.
func health[C any]() error {
	ctx, cancel := context.WithTimeout(context.Background(), healthWithin)
	defer cancel()
	addr := cmp.Or(os.Getenv("HTTP_ADDR"), defaultAddr[C]())
	if addr == "" {
		return errors.New("HTTP_ADDR is not set")
	}
	// An address without a host, such as ":8080", is dialled on this machine.
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil) //nolint:gosec // the environment may say where to ask
	if err != nil {
		return fmt.Errorf("HTTP_ADDR: %w", err)
	}
	answer, err := outgoing.Direct().RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // the process ends
	if answer.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10)) // a part of it says enough
		return fmt.Errorf("%s %s", answer.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// defaultAddr returns the config's default of HTTP_ADDR; "" when it has none.
func defaultAddr[C any]() string {
	var cfg C
	fields, _ := env.GetFieldParams(&cfg) // no error is possible: Main parses C at each start
	for _, f := range fields {
		if f.Key == "HTTP_ADDR" {
			return f.DefaultValue
		}
	}
	return ""
}
