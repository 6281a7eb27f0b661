package main

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// healthWithin is shorter than a container's health check has.
const healthWithin = 4 * time.Second

// health is what `simulator -health` does: it asks the simulator that listens at addr whether it is ready. An image without
// a shell has nothing else that a container's health check could ask with. An address without a host, such as ":8080", is
// dialled on this machine, and not through a proxy of the environment.
func health(addr string) error {
	ctx, cancel := context.WithTimeout(context.Background(), healthWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Transport{}).RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // the process ends
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return nil
}
