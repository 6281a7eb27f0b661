package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// faults are the faults of each party. The zero value is a world without faults.
type faults struct {
	Provider fault `json:"provider" envPrefix:"PROVIDER_"` // faults of the payment provider
	Carrier  fault `json:"carrier" envPrefix:"CARRIER_"`   // faults of the carrier
	Supplier fault `json:"supplier" envPrefix:"SUPPLIER_"` // faults of the supplier
}

type fault struct {
	Latency       duration `json:"latency" env:"LATENCY"`               // before each answer; default 0s
	Jitter        duration `json:"jitter" env:"JITTER"`                 // at most this much more, at random; default 0s
	ErrorRate     rate     `json:"error_rate" env:"ERROR_RATE"`         // the share of calls that are answered 503 with nothing done; default 0
	AmbiguousRate rate     `json:"ambiguous_rate" env:"AMBIGUOUS_RATE"` // the share of calls that are carried out and then reset; default 0
	Down          bool     `json:"down" env:"DOWN"`                     // every call is reset, with nothing done
}

func (f fault) delay() time.Duration {
	if f.Jitter == 0 {
		return time.Duration(f.Latency)
	}
	return time.Duration(f.Latency + rand.N(f.Jitter))
}

const (
	spellMost = time.Hour // how long faults may be asked for in advance
	noteMost  = 100       // bytes
)

// spell is faults that may end by themselves. No goroutine ends them: which faults there are follows from the clock. So nothing
// is left behind, even by somebody who has gone away in between.
type spell struct {
	faults
	Note  string    `json:"note,omitempty"` // what they are for
	Until time.Time `json:"until,omitzero"` // when After follows; zero: never
	after faults    // those that were set without an end
}

// at returns the faults at a time.
func (s *spell) at(now time.Time) *spell {
	if s.Until.IsZero() || now.Before(s.Until) {
		return s
	}
	return &spell{faults: s.after, after: s.after}
}

// sick returns the faults that there are now.
func (w *world) sick() *spell { return w.faults.Load().at(w.clock()) }

func (w *world) showFaults(*http.Request) answer { return ok(w.sick()) }

// setFaults replaces all faults; those that the body leaves out end. With "for", the faults that were there without an end come
// back afterwards. Unknown names are refused, because an experiment with a misspelt fault would prove nothing.
func (w *world) setFaults(r *http.Request) answer {
	var to struct {
		faults
		For  *duration `json:"for"`
		Note string    `json:"note"`
	}
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := decode(in, &to); err != nil {
		return invalid("these are not faults: %v", err)
	}
	if to.For != nil && (*to.For == 0 || time.Duration(*to.For) > spellMost) || len(to.Note) > noteMost {
		return invalid("faults last for more than 0s and at most %s, and a note has at most %d bytes", spellMost, noteMost)
	}
	next := &spell{faults: to.faults, Note: to.Note, after: to.faults}
	if to.For != nil {
		next.Until, next.after = w.clock().Add(time.Duration(*to.For)), w.sick().after
	}
	w.faults.Store(next)
	w.log.Info("faults changed", "faults", next)
	return ok(next)
}

// duration is a time.Duration that is not negative, written as "1.5s".
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return err
	}
	if parsed < 0 {
		return fmt.Errorf("%s is negative", parsed)
	}
	*d = duration(parsed)
	return nil
}

// rate is the share of calls that have a fault, from 0 to 1.
type rate float64

// strikes decides at random whether this call has the fault.
func (r rate) strikes() bool { return rand.Float64() < float64(r) }

func (r *rate) UnmarshalText(text []byte) error {
	parsed, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(parsed >= 0 && parsed <= 1) { // written so that NaN is refused, too
		return fmt.Errorf("%s is not a rate, a number from 0 to 1", text)
	}
	*r = rate(parsed)
	return nil
}

func (r *rate) UnmarshalJSON(number []byte) error { return r.UnmarshalText(number) }
