package main

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// world is the three parties, what they share, and the customers.
type world struct {
	log      *slog.Logger
	journal  *journal
	clock    func() time.Time
	faults   atomic.Pointer[spell]
	answered tally
	draining atomic.Bool

	deciding sync.Mutex // one call at a time: a decision takes microseconds, only the disk is slow
	provider *provider
	carrier  *carrier
	supplier *supplier

	customers *customers
}

// newWorld opens and replays the journal. clock gives all times.
func newWorld(cfg config, clock func() time.Time, log *slog.Logger) (*world, error) {
	journal, err := openJournal(cfg.Data, log)
	if err != nil {
		return nil, err
	}
	w := &world{
		log:       log,
		clock:     clock,
		journal:   journal,
		provider:  newProvider(clock, journal, time.Duration(cfg.TimeoutHold)),
		carrier:   newCarrier(clock, journal, cfg.CarrierPace, time.Duration(cfg.HoldFor)),
		supplier:  newSupplier(clock, journal, time.Duration(cfg.SupplierLead)),
		customers: newCustomers(cfg.GatewayURL, cfg.DemoSecret),
	}
	w.faults.Store(&spell{faults: cfg.Faults, after: cfg.Faults})
	if err := journal.replay(w.apply); err != nil {
		return nil, errors.Join(err, journal.close())
	}
	return w, nil
}

// apply applies a line of the journal.
func (w *world) apply(l line) error {
	switch {
	case l.Entry != nil:
		w.provider.apply(*l.Entry)
	case l.Shipment != nil:
		w.carrier.apply(*l.Shipment)
	case l.Supply != nil:
		w.supplier.apply(*l.Supply)
	case l.Hold != nil:
		w.carrier.applyHold(*l.Hold)
	default:
		return errors.New("nothing that is known here")
	}
	return nil
}

func (w *world) routes() http.Handler {
	provider := w.party("provider", func(f *faults) fault { return f.Provider })
	carrier := w.party("carrier", func(f *faults) fault { return f.Carrier })
	supplier := w.party("supplier", func(f *faults) fault { return f.Supplier })

	mux := http.NewServeMux()
	mux.Handle("POST /provider/charges", provider(keyed(w.provider.charge)))
	mux.Handle("GET /provider/charges", provider(byKey(w.provider.chargeByKey)))
	mux.Handle("POST /provider/refunds", provider(keyed(w.provider.refund)))
	mux.Handle("GET /provider/refunds", provider(byKey(w.provider.refundByKey)))
	mux.Handle("GET /provider/ledger", provider(w.provider.page))
	mux.Handle("GET /provider/report", serve(func(r *http.Request) answer { return w.decide(r, w.provider.report) })) // on paper, whatever the provider's computers do

	mux.Handle("POST /carrier/shipments", carrier(keyed(w.carrier.arrange)))
	mux.Handle("GET /carrier/shipments", carrier(w.carrier.find))
	mux.Handle("GET /carrier/shipments/{tracking_number}", carrier(w.carrier.track))
	mux.Handle("GET /carrier/journal", carrier(w.carrier.page))
	mux.Handle("POST /carrier/shipments/{tracking_number}/cancellation", carrier(w.carrier.cancel))
	mux.Handle("GET /carrier/pace", serve(func(r *http.Request) answer { return w.decide(r, w.carrier.showPace) }))
	mux.Handle("PUT /carrier/pace", serve(func(r *http.Request) answer { return w.decide(r, w.carrier.setPace) }))

	mux.Handle("GET /carrier/parcels", w.inside(w.carrier.parcels))
	mux.Handle("POST /carrier/parcels/{tracking_number}/stages", w.inside(w.carrier.note))
	mux.Handle("PUT /carrier/hands", w.inside(w.carrier.setHands))

	mux.Handle("POST /supplier/orders", supplier(keyed(w.supplier.order)))
	mux.Handle("GET /supplier/orders", supplier(byKey(w.supplier.supplyByKey)))
	mux.Handle("GET /supplier/journal", supplier(w.supplier.page))

	mux.Handle("GET /faults", serve(w.showFaults))
	mux.Handle("PUT /faults", serve(func(r *http.Request) answer { return w.decide(r, w.setFaults) }))
	mux.Handle("GET /customers", serve(w.customers.show))
	mux.Handle("PUT /customers", serve(w.customers.invite))
	mux.Handle("GET /livez", serve(func(*http.Request) answer { return ok(map[string]string{"status": "alive"}) }))
	mux.Handle("GET /readyz", serve(w.readyz))
	mux.Handle("GET /metrics", &w.answered)
	return withProblems(mux)
}

// party serves the calls of one party with its current faults. An answer is sent only once everything that it may depend on is
// on disk, whichever call has written it: therefore reads wait for the journal, too.
func (w *world) party(name string, faultOf func(*faults) fault) func(handler) http.HandlerFunc {
	attend := func(r *http.Request, h handler) answer {
		f := faultOf(&w.sick().faults)
		wait(r.Context(), f.delay())
		if f.Down {
			return answer{lost: true}
		}
		if f.ErrorRate.strikes() {
			return refuse(http.StatusServiceUnavailable, "unavailable", "the %s has a bad moment", name)
		}
		a := w.decide(r, h)
		if w.journal.sync() != nil {
			return refuse(http.StatusInternalServerError, "journal", "the %s cannot write its books", name)
		}
		a.lost = a.lost || a.recorded && f.AmbiguousRate.strikes()
		return a
	}
	return func(h handler) http.HandlerFunc {
		return serve(func(r *http.Request) answer {
			a := attend(r, h)
			w.answered.add(name, r.Pattern, a.outcome())
			w.log.Debug("answered", "method", r.Method, "path", r.URL.Path, "key", r.Header.Get("Idempotency-Key"), "outcome", a.outcome())
			return a
		})
	}
}

// inside serves the carrier's own courier, whom its faults do not concern. What is answered is on the disk, as for other callers.
func (w *world) inside(h handler) http.HandlerFunc {
	return serve(func(r *http.Request) answer {
		a := w.decide(r, h)
		if w.journal.sync() != nil {
			return refuse(http.StatusInternalServerError, "journal", "the carrier cannot write its books")
		}
		return a
	})
}

// decide calls h while no other decision is made. The answer is a copy of what is in the books then.
func (w *world) decide(r *http.Request, h handler) answer {
	w.deciding.Lock()
	defer w.deciding.Unlock()
	return h(r)
}

// readyz answers 200 while the journal can be written and the program is not stopping.
func (w *world) readyz(*http.Request) answer {
	if w.draining.Load() {
		return refuse(http.StatusServiceUnavailable, "draining", "the simulator is stopping")
	}
	if w.journal.sync() != nil {
		return refuse(http.StatusServiceUnavailable, "journal", "the journal cannot be written")
	}
	return ok(map[string]string{"status": "ready"})
}
