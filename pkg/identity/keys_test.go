package identity

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/pkg/fault"
	"github.com/go-jose/go-jose/v4"
)

// publisher is an issuer's server, whose keys and health can be changed, and a verifier that asks it and has a clock of the
// test's own.
type publisher struct {
	*httptest.Server
	fetches  atomic.Int32
	document atomic.Pointer[jose.JSONWebKeySet] // nil: the server is broken
	clock    atomic.Int64                       // seconds since the start
	hold     chan struct{}                      // a fetch is answered when this is closed
	keys     *remoteKeys
	verifier *Verifier
}

func publish(t *testing.T, issuer *Issuer) *publisher {
	t.Helper()
	p := &publisher{hold: make(chan struct{})}
	close(p.hold)
	p.rotate(issuer)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		<-p.hold
		document := p.document.Load()
		if document == nil {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(document)
	}))
	t.Cleanup(p.Close)
	p.verifier = NewVerifier(p.URL, "orderflow", "orderflow", slog.New(slog.DiscardHandler))
	p.keys = p.verifier.keys.(*remoteKeys)
	begin := time.Now()
	p.keys.now = func() time.Time { return begin.Add(time.Duration(p.clock.Load()) * time.Second) }
	return p
}

func (p *publisher) rotate(issuer *Issuer) {
	document := issuer.JWKS()
	p.document.Store(&document)
}

// verify returns the kind of error for a new token of issuer, "" for none, after background work has ended.
func (p *publisher) verify(t *testing.T, issuer *Issuer) fault.Kind {
	t.Helper()
	signed, err := issuer.Token("alice", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.verifier.Verify(t.Context(), signed)
	p.keys.mu.Lock()
	fetching := p.keys.fetch
	p.keys.mu.Unlock()
	if fetching != nil {
		<-fetching
	}
	if err == nil {
		return ""
	}
	return fault.KindOf(err)
}

func (p *publisher) expect(t *testing.T, step string, issuer *Issuer, kind fault.Kind, fetches int32) {
	t.Helper()
	if got := p.verify(t, issuer); got != kind {
		t.Errorf("%s: the error is %q, not %q", step, got, kind)
	}
	if got := p.fetches.Load(); got != fetches {
		t.Errorf("%s: %d fetches, not %d", step, got, fetches)
	}
}

func TestKeysAreFetchedWhenNeededAndRefreshedFromTimeToTime(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	p := publish(t, issuer)
	if p.fetches.Load() != 0 {
		t.Error("fetched before the first use")
	}
	p.expect(t, "first use", issuer, "", 1)
	p.expect(t, "at once again", issuer, "", 1)
	p.clock.Add(299)
	p.expect(t, "before five minutes", issuer, "", 1)
	p.clock.Add(1)
	p.expect(t, "after five minutes", issuer, "", 2)
}

func TestAServiceGoesOnVerifyingWhileTheIssuerIsAway(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	p := publish(t, issuer)
	p.expect(t, "first use", issuer, "", 1)
	p.document.Store(nil)
	p.clock.Add(3600)
	p.expect(t, "broken", issuer, "", 2)
	p.document.Store(&jose.JSONWebKeySet{})
	p.clock.Add(3600)
	p.expect(t, "without keys", issuer, "", 3)
	p.Close()
	p.clock.Add(3600)
	p.expect(t, "gone", issuer, "", 3)
}

func TestANewKeyIsFoundSoonAndInventedOnesCostLittle(t *testing.T) {
	t.Parallel()
	before, after := newIssuer(t), newIssuer(t)
	p := publish(t, before)
	p.expect(t, "first use", before, "", 1)
	p.clock.Add(9)
	p.expect(t, "invented, too soon to ask", after, fault.Unauthorized, 1)
	p.clock.Add(1)
	p.expect(t, "invented, asked for", after, fault.Unauthorized, 2)
	p.rotate(after)
	p.expect(t, "published, too soon to ask", after, fault.Unauthorized, 2)
	p.clock.Add(10)
	p.expect(t, "published", after, "", 3)
	p.expect(t, "withdrawn", before, fault.Unauthorized, 3)
}

func TestAnUnknownKeyIsNotCalledBadWhileTheIssuerIsAway(t *testing.T) {
	t.Parallel()
	before, after := newIssuer(t), newIssuer(t)
	p := publish(t, before)
	p.expect(t, "first use", before, "", 1)
	p.document.Store(nil)
	p.clock.Add(10)
	p.expect(t, "unknown", after, fault.Unavailable, 2)
	p.expect(t, "known", before, "", 2)
}

func TestWithoutAnyKeysTheAnswerIsUnavailableUntilTheIssuerIsBack(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	p := publish(t, issuer)
	p.document.Store(nil)
	p.expect(t, "broken", issuer, fault.Unavailable, 1)
	p.expect(t, "too soon to ask", issuer, fault.Unavailable, 1)
	p.rotate(issuer)
	p.clock.Add(1)
	p.expect(t, "back", issuer, "", 2)
}

func TestManyCallersAtOnceCostOneFetch(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	p := publish(t, issuer)
	p.hold = make(chan struct{})
	signed, err := issuer.Token("alice", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for range 100 {
		callers.Go(func() {
			if _, err := p.verifier.Verify(t.Context(), signed); err != nil {
				t.Error(err)
			}
		})
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := p.verifier.Verify(gone, signed); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a caller who does not wait gets %v", err)
	}
	close(p.hold)
	callers.Wait()
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}
