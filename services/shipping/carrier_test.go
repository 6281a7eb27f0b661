package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/testkit"
)

// fakeCarrier is a carrier with its API, in memory. Parcels move when a test moves them.
type fakeCarrier struct {
	*httptest.Server
	mu      sync.Mutex
	parcels map[string]*parcel // by key
	calls   []string           // the calls that had an effect: ship, find, track, cancel
	asked   [][]string         // the tracking numbers of each call to track
	fault   func(call string, act func()) (status int)
}

func newFakeCarrier(t *testing.T) *fakeCarrier {
	f := &fakeCarrier{parcels: map[string]*parcel{}}
	mux := http.NewServeMux()
	serve := func(pattern, call string, act func(r *http.Request) (int, any)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			call, act := call, act
			if r.URL.Query().Has("tracking_number") {
				call, act = "track", f.track
			}
			f.mu.Lock()
			fault := f.fault
			f.mu.Unlock()
			var status int
			var body any
			work := sync.OnceFunc(func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.calls = append(f.calls, call)
				status, body = act(r)
			})
			if fault != nil {
				bad := fault(call, work)
				if bad == silence {
					_, _ = io.Copy(io.Discard, r.Body) // otherwise the server does not notice that the client has gone
					<-r.Context().Done()
					return
				}
				if bad != 0 {
					w.WriteHeader(bad)
					return
				}
			}
			work()
			if status >= 400 {
				w.Header().Set("Content-Type", "application/problem+json")
			}
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(body)
		})
	}
	serve("POST /carrier/shipments", "ship", f.ship)
	serve("GET /carrier/shipments", "find", func(r *http.Request) (int, any) {
		items := []parcel{}
		if p := f.parcels[r.URL.Query().Get("key")]; p != nil {
			items = append(items, *p)
		}
		return 200, map[string]any{"items": items}
	})
	serve("POST /carrier/shipments/{number}/cancellation", "cancel", f.cancel)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeCarrier) ship(r *http.Request) (int, any) {
	var in struct {
		Reference string
		Address   messages.Address
		Lines     []messages.Line
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	key := r.Header.Get("Idempotency-Key")
	switch {
	case in.Address.City == "Nowhere":
		return 422, map[string]string{"code": "address_refused"}
	case in.Address.City == "Elsewhere":
		return 422, map[string]string{"code": "invalid"}
	case f.parcels[key] != nil && in.Address.City == "Moved":
		return 422, map[string]string{"code": "idempotency_key_reused"}
	case f.parcels[key] != nil:
		return 200, *f.parcels[key]
	case len(in.Lines) == 0 || key != in.Reference:
		return 400, nil
	}
	f.parcels[key] = &parcel{Reference: in.Reference, Carrier: "Swift", TrackingNumber: "S/" + key, Status: arranged, Stages: []stage{{arranged, day}}, EstimatedDelivery: day.Add(time.Hour)}
	return 201, *f.parcels[key]
}

func (f *fakeCarrier) track(r *http.Request) (int, any) {
	numbers := r.URL.Query()["tracking_number"]
	f.asked = append(f.asked, numbers)
	items := []parcel{}
	for _, number := range numbers {
		if p := f.parcels[strings.TrimPrefix(number, "S/")]; p != nil {
			items = append(items, *p)
		}
	}
	return 200, map[string]any{"items": items}
}

func (f *fakeCarrier) cancel(r *http.Request) (int, any) {
	p := f.parcels[strings.TrimPrefix(r.PathValue("number"), "S/")]
	switch {
	case p == nil:
		return 404, map[string]string{"code": "no_shipment"}
	case p.Status != arranged && p.Status != cancelled:
		return 409, map[string]string{"code": "already_dispatched"}
	case p.Status == arranged:
		f.move(p, cancelled)
	}
	return 200, *p
}

func (f *fakeCarrier) move(p *parcel, stages ...status) {
	for _, s := range stages {
		p.Status = s
		p.Stages = append(slices.Clone(p.Stages), stage{s, day.Add(time.Duration(len(p.Stages)) * time.Minute)})
	}
}

// carry moves the parcel of an order through stages.
func (f *fakeCarrier) carry(orderID string, stages ...status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.move(f.parcels[orderID], stages...)
}

// forget makes the carrier lose the parcel of an order.
func (f *fakeCarrier) forget(orderID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.parcels, orderID)
}

// goes makes all calls from now on go wrong as fault says; nil: no faults.
func (f *fakeCarrier) goes(fault func(call string, act func()) int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// received returns the calls so far, and how many of them were of the given kind.
func (f *fakeCarrier) received(call string) (all string, of int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c == call {
			of++
		}
	}
	return strings.Join(f.calls, " "), of
}

func (f *fakeCarrier) status(orderID string) status {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.parcels[orderID]; p != nil {
		return p.Status
	}
	return ""
}

// The faults that a call can have.
var (
	badMoment = func(string, func()) int { return 503 }                               // nothing is done
	proxyDown = func(_ string, act func()) int { act(); return 502 }                  // done, but the caller does not know
	reset     = func(_ string, act func()) int { act(); panic(http.ErrAbortHandler) } // done, but the caller does not know
	timeout   = func(_ string, act func()) int { act(); return silence }              // done, but the caller does not know
)

const (
	silence     = -1              // in place of an HTTP status: no answer
	callTimeout = 3 * time.Second // only silence should take this long, even on a slow machine
)

func (f *fakeCarrier) client(t *testing.T) *httpCarrier {
	return newHTTPCarrier(carrierSettings{URLs: client.URLs{f.URL + "/carrier"}, Timeout: callTimeout, Slots: 8}, testkit.Log(t))
}

func TestTheCarriersAnswers(t *testing.T) {
	t.Parallel()
	only := func(bad string, fault func(string, func()) int) func(string, func()) int {
		return func(call string, act func()) int {
			if call == bad {
				return fault(call, act)
			}
			return 0
		}
	}
	nonsense := func(string, func()) int { return 200 }
	for _, c := range []struct {
		name   string
		city   string
		before []status // the stages that the parcel has reached before
		fault  func(string, func()) int
		call   func(ctx context.Context, h *httpCarrier, s shipment) (parcel, error)
		want   string
	}{
		{"shipped", "", nil, nil, ship, "arranged"},
		{"shipped before", "", []status{arranged, dispatched}, nil, ship, "dispatched"},
		{"the address is refused", "Nowhere", nil, nil, ship, "address_refused"},
		{"the parcel is refused", "Elsewhere", nil, nil, ship, "parcel_refused"},
		{"the key has another parcel", "Moved", []status{arranged}, nil, ship, "unclear"},
		{"503", "", nil, badMoment, ship, "no_effect"},
		{"502", "", nil, proxyDown, ship, "unclear"},
		{"reset", "", nil, reset, ship, "unclear"},
		{"timeout", "", nil, timeout, ship, "unclear"},
		{"nonsense", "", nil, nonsense, ship, "unclear"},
		{"a mistake of ours", "", nil, func(string, func()) int { return 400 }, ship, "unclear"},

		{"found", "", []status{arranged, dispatched}, nil, find, "dispatched"},
		{"none found", "", nil, nil, find, "nothing"},
		{"not to be found out", "", []status{arranged}, badMoment, find, "no_effect"},

		{"tracked", "", []status{arranged, dispatched}, nil, track, "dispatched"},
		{"unknown", "", nil, nil, track, "no_effect"},
		{"not to be tracked", "", []status{arranged}, badMoment, track, "no_effect"},
		{"tracked, with nonsense", "", []status{arranged}, nonsense, track, "no_effect"},

		{"called back", "", []status{arranged}, nil, cancel, "cancelled"},
		{"called back before", "", []status{arranged, cancelled}, nil, cancel, "cancelled"},
		{"not called back", "", []status{arranged, dispatched}, nil, cancel, "dispatched, kept"},
		{"not called back, and not tracked", "", []status{arranged, dispatched}, only("track", badMoment), cancel, "no_effect"},
		{"perhaps called back", "", []status{arranged}, reset, cancel, "unclear"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFakeCarrier(t)
			s := shipment{OrderID: uuid.NewString(), Address: messages.Address{City: c.city}, Lines: []messages.Line{{SKU: "A", Quantity: 1}}}
			s.TrackingNumber = "S/" + s.OrderID
			if c.before != nil {
				f.parcels[s.OrderID] = &parcel{Reference: s.OrderID, Carrier: "Swift", TrackingNumber: s.TrackingNumber}
				f.move(f.parcels[s.OrderID], c.before...)
			}
			f.goes(c.fault)
			p, err := c.call(t.Context(), f.client(t), s)
			got := string(p.Status)
			switch {
			case errors.Is(err, errNoEffect):
				got = "no_effect"
			case err != nil:
				got = "unclear"
			case p.Refused != "":
				got = string(p.Refused)
			case p.Kept:
				got += ", kept"
			case p.TrackingNumber == "":
				got = "nothing"
			case p.TrackingNumber != s.TrackingNumber || p.Carrier != "Swift":
				t.Errorf("%+v", p)
			}
			if got != c.want {
				t.Errorf("%s, want %s: %+v, %v", got, c.want, p, err)
			}
		})
	}
}

func ship(ctx context.Context, h *httpCarrier, s shipment) (parcel, error) { return h.ship(ctx, s) }
func find(ctx context.Context, h *httpCarrier, s shipment) (parcel, error) {
	return h.find(ctx, s.OrderID)
}

func track(ctx context.Context, h *httpCarrier, s shipment) (parcel, error) {
	found, err := h.track(ctx, "S/another", s.TrackingNumber)
	if err != nil {
		return parcel{}, err
	}
	return found.of(s.TrackingNumber)
}

func cancel(ctx context.Context, h *httpCarrier, s shipment) (parcel, error) {
	return h.cancel(ctx, s.TrackingNumber)
}

func TestAnAnswerThatIsIncompleteIsCompleted(t *testing.T) {
	t.Parallel()
	p, err := parcel{TrackingNumber: "S1", Carrier: "a\x00b", Status: dispatched, EstimatedDelivery: day.In(time.FixedZone("", 3600)).Add(1)}.readable()
	want := parcel{TrackingNumber: "S1", Carrier: "a\uFFFDb", Status: dispatched, Stages: []stage{{Stage: dispatched}, {Stage: arranged}}, EstimatedDelivery: day}
	if err != nil || !cmp.Equal(p, want) {
		t.Errorf("%+v, %v", p, err)
	}
	s := shipment{Status: requested, DueAt: &day}.apply(claim{}, p, day, soon).shipment
	if got := fmt.Sprint(s.Stages); got != fmt.Sprint([]stage{{arranged, day}, {dispatched, day}}) {
		t.Errorf("stages %s", got)
	}
	terse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"tracking_number":"S1"}`)) }))
	t.Cleanup(terse.Close)
	back, err := newHTTPCarrier(carrierSettings{URLs: client.URLs{terse.URL}}, testkit.Log(t)).cancel(t.Context(), "S1")
	if err != nil || back.alive() || back.Status != cancelled {
		t.Errorf("called back, and nothing more said: %+v, %v", back, err)
	}
	for _, number := range []string{"", "S\x001", strings.Repeat("S", 501)} {
		if p, err := (parcel{TrackingNumber: number}).readable(); err == nil || p.TrackingNumber != "" {
			t.Errorf("tracking number %q: %+v", number, p)
		}
	}
}
