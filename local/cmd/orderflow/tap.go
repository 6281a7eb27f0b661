package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"example.com/orderflow/local/tap"
)

// listen prints each message that passes RabbitMQ, or those about one order or product, until it is interrupted.
func listen(ctx context.Context, s settings, args []string) error {
	if len(args) > 1 {
		return errors.New("tap takes one order at most: its id, or the end of it")
	}
	sources, err := books(ctx, s)
	if err != nil {
		return err
	}
	t, err := tap.Open(ctx, sources.Broker)
	if err != nil {
		return err
	}
	defer t.Close() //nolint:errcheck // nothing depends on it any more
	fmt.Println("listening to RabbitMQ; Ctrl-C ends it")
	for {
		p, err := t.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case len(args) == 0 || strings.HasSuffix(strings.ToLower(p.CorrelationId), strings.ToLower(args[0])):
			fmt.Println(p)
		}
	}
}
