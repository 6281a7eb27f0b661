package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
)

// The text at the entrance is for people who paste it into a shell, all at once or line by line.
func TestTheTourForCurlLeadsAnOrderToItsDelivery(t *testing.T) {
	t.Parallel()
	c := stories.New(t, world(together(t)))
	stories.Until(t, "each replica of orders knows the product", func() bool {
		for i := range 8 {
			a, err := c.Call("alice", http.MethodPost, "/api/orders", stories.Wish{SKU: "MUG-BLUE"}.JSON(), "Idempotency-Key", fmt.Sprint("look-", i), "Expected-Total", "0 XXX")
			if err != nil || a.Status != http.StatusConflict {
				return false
			}
		}
		return true
	})
	text := string(c.Must(http.StatusOK, "", http.MethodGet, "/", "").Body)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "sh", "-eu", "-c", text)
	shell.Env = append(os.Environ(), "DEMO_SECRET="+demoSecret)
	out, err := shell.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"status":"delivered"`) || !strings.Contains(string(out), `"items":[`) {
		t.Errorf("%v\n%s\n%s", err, text, out)
	}
}
