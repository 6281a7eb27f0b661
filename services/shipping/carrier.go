package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/telemetry"
)

// carrier moves parcels, one for each order. After an error that wraps errNoEffect, the call has certainly shipped nothing.
// After any other error it is in doubt, and the carrier must be asked.
type carrier interface {
	ship(ctx context.Context, s shipment) (parcel, error)
	find(ctx context.Context, orderID string) (parcel, error)              // the zero parcel if there is none
	track(ctx context.Context, trackingNumbers ...string) (parcels, error) // up to 100 at once
	cancel(ctx context.Context, trackingNumber string) (parcel, error)
}

var errNoEffect = errors.New("the carrier has shipped nothing")

// parcel is what the carrier knows about a shipment.
type parcel struct {
	Reference         string    `json:"reference"` // the order's id
	Carrier           string    `json:"carrier"`
	TrackingNumber    string    `json:"tracking_number"` // empty: there is no parcel
	Status            status    `json:"status"`
	Stages            []stage   `json:"stages"`
	EstimatedDelivery time.Time `json:"estimated_delivery"`

	Refused reason `json:"-"` // why there is no parcel and never will be
	Kept    bool   `json:"-"` // it was too late to call the parcel back
}

// alive reports whether the parcel will be delivered unless it is called back.
func (p parcel) alive() bool {
	return p.TrackingNumber != "" && !slices.ContainsFunc(p.Stages, func(s stage) bool { return s.Stage == failed || s.Stage == cancelled })
}

// parcels are the parcels in an answer of the carrier, by tracking number.
type parcels map[string]parcel

// of returns the parcel with a tracking number. It returns an error if the carrier has not named the parcel: that may be a
// mistake of the carrier, which is asked again.
func (p parcels) of(trackingNumber string) (parcel, error) {
	if found, named := p[trackingNumber]; named {
		return found, nil
	}
	return parcel{}, fmt.Errorf("track %s: %w: it does not name this parcel", trackingNumber, errNoEffect)
}

// carrierSettings are the address of the carrier, and limits for calling it.
type carrierSettings struct {
	URLs    client.URLs   `env:"URL" envDefault:"http://localhost:8090/carrier"` // the carrier
	Timeout time.Duration `env:"TIMEOUT" envDefault:"2s"`                        // of one attempt; a call with all its attempts has 6 s
	Slots   uint          `env:"SLOTS" envDefault:"100"`                         // shipments for which one replica calls the carrier at the same time, to have them shipped or called back
	// A request for a parcel that got no answer may still be on its way to the carrier. If the shipment is cancelled
	// meanwhile, the answer "there is no parcel" is believed only when this time has passed since the request. It must be
	// longer than the 20 s for which a worker may work on a shipment.
	InDoubtFor time.Duration `env:"IN_DOUBT_FOR" envDefault:"30s"`
}

const callWithin = 6 * time.Second

// httpCarrier is the carrier's HTTP API.
type httpCarrier struct {
	client *client.Client
	calls  *telemetry.Counter
}

func newHTTPCarrier(s carrierSettings, log *slog.Logger) *httpCarrier {
	return &httpCarrier{
		client: client.New(client.Config{Name: "carrier", URLs: s.URLs, Log: log, Timeout: s.Timeout, Total: callWithin, Bulkhead: s.Slots + 1}), // one more for the tracker
		calls:  telemetry.NewCounter("shipping_carrier_calls", "Calls of the carrier, by call and outcome.", "call", "outcome"),
	}
}

func (h *httpCarrier) ship(ctx context.Context, s shipment) (p parcel, err error) {
	defer func() { h.count(ctx, "ship", p, err) }()
	_, err = h.client.JSON(ctx, http.MethodPost, "/shipments", http.Header{"Idempotency-Key": {s.OrderID}}, struct {
		Reference string           `json:"reference"`
		Address   messages.Address `json:"address"`
		Lines     []messages.Line  `json:"lines"`
	}{s.OrderID, s.Address, s.Lines}, &p)
	failpoint.At("shipping.shipped")
	problem, refused := errors.AsType[*client.Problem](err)
	switch {
	case err == nil:
		return p.readable()
	case refused && problem.Status == http.StatusUnprocessableEntity && problem.Code() != "idempotency_key_reused":
		why := parcelRefused
		if problem.Code() == string(addressRefused) {
			why = addressRefused
		}
		return parcel{Refused: why}, nil
	case refused, client.Ambiguous(err): // an idempotency key that was used before has a parcel, which must be found
		return parcel{}, fmt.Errorf("ship order %s: %w", s.OrderID, err)
	}
	return parcel{}, fmt.Errorf("ship order %s: %w: %w", s.OrderID, errNoEffect, err)
}

func (h *httpCarrier) find(ctx context.Context, orderID string) (p parcel, err error) {
	defer func() { h.count(ctx, "find", p, err) }()
	var found struct {
		Items []parcel `json:"items"`
	}
	_, err = h.client.JSON(ctx, http.MethodGet, "/shipments?key="+url.QueryEscape(orderID), nil, nil, &found)
	if err != nil {
		return parcel{}, fmt.Errorf("find the parcel of order %s: %w: %w", orderID, errNoEffect, err)
	}
	i := slices.IndexFunc(found.Items, func(p parcel) bool { return p.Reference == orderID })
	if i < 0 {
		return parcel{}, nil
	}
	return found.Items[i].readable()
}

// track asks about many parcels in one call. The metrics count it as one call, which told of a parcel if the answer names any.
func (h *httpCarrier) track(ctx context.Context, trackingNumbers ...string) (found parcels, err error) {
	var told parcel
	defer func() { h.count(ctx, "track", told, err) }()
	var answer struct {
		Items []parcel `json:"items"`
	}
	query := url.Values{"tracking_number": trackingNumbers}.Encode()
	if _, err := h.client.JSON(ctx, http.MethodGet, "/shipments?"+query, nil, nil, &answer); err != nil {
		return nil, fmt.Errorf("track parcels: %w: %w", errNoEffect, err)
	}
	found = parcels{}
	for _, p := range answer.Items {
		if p, err := p.readable(); err == nil { // our parcels all have readable tracking numbers
			told, found[p.TrackingNumber] = p, p
		}
	}
	return found, nil
}

// cancel calls a parcel back. The answer is the parcel: cancelled, or kept if it is too late. It is safe to repeat.
func (h *httpCarrier) cancel(ctx context.Context, trackingNumber string) (p parcel, err error) {
	defer func() { h.count(ctx, "cancel", p, err) }()
	_, err = h.client.JSON(ctx, http.MethodPost, "/shipments/"+url.PathEscape(trackingNumber)+"/cancellation", nil, nil, &p)
	failpoint.At("shipping.recalled")
	if problem, refused := errors.AsType[*client.Problem](err); refused && problem.Status == http.StatusConflict {
		found, err := h.track(ctx, trackingNumber)
		if err != nil {
			return parcel{}, err
		}
		p, err = found.of(trackingNumber)
		p.Kept = err == nil
		return p, err
	}
	if err != nil {
		return parcel{}, fmt.Errorf("cancel %s: %w", trackingNumber, err)
	}
	p.Status = cancelled
	return p.readable()
}

// readable checks the carrier's answer and completes its stages: a parcel has at least been arranged, and has reached its
// status. Stages that it adds have a zero time, which the caller replaces.
func (p parcel) readable() (parcel, error) {
	if p.TrackingNumber == "" || p.TrackingNumber != client.Clean(p.TrackingNumber) {
		return parcel{}, fmt.Errorf("the carrier answers with tracking number %q", client.Clean(p.TrackingNumber))
	}
	for _, s := range []status{p.Status, arranged} {
		if !slices.ContainsFunc(p.Stages, func(st stage) bool { return st.Stage == s }) {
			p.Stages = append(p.Stages, stage{Stage: s})
		}
	}
	for i, st := range p.Stages {
		p.Stages[i].At = st.At.UTC().Truncate(time.Microsecond)
	}
	p.EstimatedDelivery = p.EstimatedDelivery.UTC().Truncate(time.Microsecond)
	p.Carrier = client.Clean(p.Carrier)
	return p, nil
}
