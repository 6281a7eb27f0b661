package main

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// healthWithin is shorter than the timeout of a container's health check.
const healthWithin = 4 * time.Second

// health asks the simulator that listens at addr whether it is ready. It is the command `simulator -health`, for the health
// check of a container whose image has no shell. An address without a host, such as ":8080", means this machine. Proxies from
// the environment are not used.
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
