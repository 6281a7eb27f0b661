package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/outgoing"
)

const (
	refreshEvery  = 5 * time.Minute  // a key that is no longer published is accepted for this long
	unknownEvery  = 10 * time.Second // unknown key ids, which can be invented, cost the issuer one request in this time
	startingEvery = time.Second      // while there are no keys at all
	fetchTimeout  = 5 * time.Second
	documentMax   = 1 << 20
)

// remoteKeys are the keys that an issuer publishes. The last good set is kept while the issuer is away.
type remoteKeys struct {
	where func(context.Context) (url string, err error) // asked before each fetch
	log   *slog.Logger
	http  *http.Client
	now   func() time.Time

	mu     sync.Mutex
	set    map[string]any // public keys by their ids; nil before the first good answer
	tried  time.Time      // when the latest fetch began
	failed error          // of the latest fetch
	fetch  chan struct{}  // of the fetch under way, closed at its end; nil when there is none
}

func newRemoteKeys(where func(context.Context) (string, error), log *slog.Logger) *remoteKeys {
	return &remoteKeys{where: where, log: log, http: issuerClient(), now: time.Now}
}

// issuerClient returns the client that asks an issuer, the only server outside of Orderflow that may be behind a proxy.
func issuerClient() *http.Client {
	return &http.Client{Timeout: fetchTimeout, Transport: outgoing.Proxied()}
}

// find returns a known key at once; from time to time it starts a fetch in the background. For an unknown key it waits for
// the issuer, in one fetch for all that wait.
func (k *remoteKeys) find(ctx context.Context, kid string) (any, error) {
	k.mu.Lock()
	key, known := k.set[kid]
	if k.fetch == nil && k.now().Sub(k.tried) >= k.pauseAfter(known) {
		k.tried, k.fetch = k.now(), make(chan struct{})
		go k.refresh(context.WithoutCancel(ctx), k.fetch)
	}
	fetching := k.fetch
	k.mu.Unlock()
	if known {
		return key, nil
	}
	if fetching != nil {
		select {
		case <-fetching:
		case <-ctx.Done():
			return nil, fault.New(fault.Unavailable, "tokens cannot be verified now").Because(ctx.Err())
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, known := k.set[kid]; known {
		return key, nil
	}
	if k.failed != nil { // it might be a new key
		return nil, fault.New(fault.Unavailable, "tokens cannot be verified now: the issuer's keys are out of reach").Because(k.failed)
	}
	return nil, fault.New(fault.Unauthorized, "the token is signed with a key that its issuer does not publish")
}

// pauseAfter is the least time between two fetches.
func (k *remoteKeys) pauseAfter(known bool) time.Duration {
	switch {
	case known:
		return refreshEvery
	case k.set == nil:
		return startingEvery
	}
	return unknownEvery
}

func (k *remoteKeys) refresh(ctx context.Context, done chan struct{}) {
	defer close(done)
	set, err := k.get(ctx)
	if err != nil {
		k.log.WarnContext(ctx, "fetch keys", "error", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failed, k.fetch = err, nil
	if err == nil {
		k.set = set
	}
}

func (k *remoteKeys) get(ctx context.Context) (map[string]any, error) {
	url, err := k.where(ctx)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := k.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }() // all that matters has been read
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", answer.Status)
	}
	document, err := io.ReadAll(io.LimitReader(answer.Body, documentMax))
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	set, err := readKeys(document)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if len(set) == 0 { // an issuer without keys is broken: keep the last good set
		return nil, errors.New("no key that can be used")
	}
	return set, nil
}

// localKeys are known from the start.
type localKeys map[string]any

func (k localKeys) find(_ context.Context, kid string) (any, error) {
	if key, known := k[kid]; known {
		return key, nil
	}
	return nil, fault.New(fault.Unauthorized, "the token is signed with a key that is not known here")
}
