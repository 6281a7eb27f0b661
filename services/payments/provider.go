package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/telemetry"
)

// provider charges cards and refunds charges, once for each idempotency key. After an error that wraps errNoEffect, the call
// has certainly changed nothing. After any other error it is in doubt, and the provider must be asked.
type provider interface {
	charge(ctx context.Context, p payment) (operation, error)
	findCharge(ctx context.Context, p payment) (operation, error) // the zero operation if there is none
	refund(ctx context.Context, p payment, amount int64) (operation, error)
}

var errNoEffect = errors.New("the provider has done nothing")

// operation is a charge or refund at the provider.
type operation struct {
	ID     string `json:"id"`
	Key    string `json:"key"`
	Status string `json:"status"`
	Code   string `json:"code"` // why it was declined

	// Only of a charge:
	Amount   int64  `json:"amount"`
	Refunded int64  `json:"refunded"` // the part that was refunded, by payments or by hand at the provider
	RefundID string `json:"-"`        // the refund that payments has asked for; empty: none
}

// left returns the part of a charge that has not been refunded.
func (op operation) left() int64 { return op.Amount - op.Refunded }

const (
	operationSucceeded = "succeeded"
	operationDeclined  = "declined"
)

// providerSettings are the address of the provider, and limits for calling it.
type providerSettings struct {
	URLs    client.URLs   `env:"URL" envDefault:"http://localhost:8090/provider"` // the payment provider
	Timeout time.Duration `env:"TIMEOUT" envDefault:"2s"`                         // of one attempt; a call with all its attempts has 8 s
	Slots   uint          `env:"SLOTS" envDefault:"100"`                          // payments for which one replica calls the provider at the same time
	// A request for a charge that got no answer may still be on its way. If the payment is given up meanwhile, the answer
	// "there is no charge" is believed only when this time has passed since the request. It must be longer than the 20 s for
	// which a worker may work on a payment.
	InDoubtFor time.Duration `env:"IN_DOUBT_FOR" envDefault:"30s"`
}

// httpProvider is the provider's HTTP API.
type httpProvider struct {
	client *client.Client
	calls  *telemetry.Counter
}

func newHTTPProvider(s providerSettings, log *slog.Logger) *httpProvider {
	return &httpProvider{
		client: client.New(client.Config{Name: "provider", URLs: s.URLs, Log: log, Timeout: s.Timeout, Bulkhead: s.Slots}),
		calls:  telemetry.NewCounter("payments_provider_calls", "Calls of the payment provider, by call and outcome.", "call", "outcome"),
	}
}

func (h *httpProvider) charge(ctx context.Context, p payment) (operation, error) {
	op, err := h.do(ctx, "charge", "/charges", p.chargeKey(), struct {
		messages.Money
		Method    string `json:"method"`
		Reference string `json:"reference"`
	}{p.Amount, p.Method, p.OrderID})
	failpoint.At("payments.charged")
	return op, err
}

func (h *httpProvider) refund(ctx context.Context, p payment, amount int64) (operation, error) {
	op, err := h.do(ctx, "refund", "/refunds", p.refundKey(amount), struct {
		ChargeKey string `json:"charge_key"`
		messages.Money
	}{p.chargeKey(), messages.Money{Amount: amount, Currency: p.Amount.Currency}})
	failpoint.At("payments.refunded")
	return op, err
}

func (h *httpProvider) findCharge(ctx context.Context, p payment) (op operation, err error) {
	defer func() { h.count(ctx, "find_charge", op, err) }()
	type charge struct {
		operation
		Refunds []operation `json:"refunds"`
	}
	var found struct {
		Items []charge `json:"items"`
	}
	key := p.chargeKey()
	_, err = h.client.JSON(ctx, http.MethodGet, "/charges?key="+url.QueryEscape(key), nil, nil, &found)
	if err != nil {
		return operation{}, fmt.Errorf("find_charge %s: %w: %w", key, errNoEffect, err)
	}
	i := slices.IndexFunc(found.Items, func(c charge) bool { return c.Key == key })
	if i < 0 {
		return operation{}, nil
	}
	op = found.Items[i].operation
	for _, r := range found.Items[i].Refunds {
		if p.asked(r.Key) {
			op.RefundID = client.Clean(r.ID)
		}
	}
	return op.readable()
}

func (h *httpProvider) do(ctx context.Context, call, path, key string, body any) (op operation, err error) {
	defer func() { h.count(ctx, call, op, err) }()
	_, err = h.client.JSON(ctx, http.MethodPost, path, http.Header{"Idempotency-Key": {key}}, body, &op)
	problem, refused := errors.AsType[*client.Problem](err)
	switch {
	case err == nil:
		return op.readable()
	case refused && problem.Status == http.StatusPaymentRequired:
		return operation{Key: key, Status: operationDeclined, Code: cmp.Or(client.Clean(problem.Code()), operationDeclined)}, nil
	case refused, client.Ambiguous(err):
		return operation{}, fmt.Errorf("%s %s: %w", call, key, err)
	}
	return operation{}, fmt.Errorf("%s %s: %w: %w", call, key, errNoEffect, err)
}

// asked reports whether payments has asked for the refund with this key, rather than a person at the provider.
func (p payment) asked(key string) bool {
	rest, ours := strings.CutPrefix(key, refundPrefix+p.OrderID)
	return ours && (rest == "" || rest[0] == '-')
}

// readable returns an error for an operation that is neither done nor declined: the provider must be asked again.
func (op operation) readable() (operation, error) {
	if op.Status != operationSucceeded && op.Status != operationDeclined {
		return operation{}, fmt.Errorf("the provider says that %s is %q", op.Key, client.Clean(op.Status))
	}
	op.ID, op.Code = client.Clean(op.ID), client.Clean(op.Code)
	return op, nil
}
