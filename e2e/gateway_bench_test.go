package e2e

import (
	"cmp"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/system"
)

// BenchmarkGateway sends the same requests to the service and through the gateway, alternating, so that other load on the
// machine affects both equally. The ratio is the result; the times are those of this machine.
func BenchmarkGateway(b *testing.B) {
	dir, err := os.MkdirTemp("", "orderflow-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	s, err := launch(dir, system.Each(1), map[string][]string{"gateway": {"RATE_PER_ADDRESS=0", "RATE_PER_CALLER=0"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop() })
	c := stories.New(b, world(s))
	token, err := c.As("alice").Token(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for name, test := range map[string]struct {
		path, direct string
		headers      []string
	}{
		"an order list, authenticated":   {"/api/orders", s.Program("orders", 1).URL, []string{"Authorization", "Bearer " + token}},
		"a product, cached for 1 s":      {"/api/products/MUG-BLUE", s.Program("inventory", 1).URL, nil},
		"a product list, past the cache": {"/api/products?limit=100", s.Program("inventory", 1).URL, nil},
	} {
		b.Run(name, func(b *testing.B) {
			var mu sync.Mutex
			var took [2][]time.Duration
			bases := [2]string{test.direct, s.GatewayURL}
			b.SetParallelism(2) // some concurrency, as behind a busy page, but not so much that only the machine is measured
			b.RunParallel(func(pb *testing.PB) {
				for turn := 0; pb.Next(); turn++ {
					for i := range 2 {
						which := (i + turn) % 2
						begun := time.Now()
						a, err := stories.Send(b.Context(), http.MethodGet, bases[which]+test.path, "", test.headers...)
						if err != nil || a.Status != http.StatusOK {
							b.Errorf("%s: %v %d %s", test.path, err, a.Status, a.Body)
							return
						}
						mu.Lock()
						took[which] = append(took[which], time.Since(begun))
						mu.Unlock()
					}
				}
			})
			for _, q := range []struct {
				name string
				at   float64
			}{{"p50", 0.5}, {"p99", 0.99}} {
				direct, through := quantile(took[0], q.at), quantile(took[1], q.at)
				b.ReportMetric(float64(direct.Microseconds()), q.name+"-direct-µs")
				b.ReportMetric(float64(through.Microseconds()), q.name+"-gateway-µs")
				b.ReportMetric(float64(through)/float64(direct), q.name+"-ratio")
			}
		})
	}
}

func quantile(all []time.Duration, q float64) time.Duration {
	slices.SortFunc(all, cmp.Compare[time.Duration])
	return all[int(q*float64(len(all)-1))]
}
