package laboratory

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"example.com/orderflow/pkg/client"
)

const (
	clearEvery  = time.Second
	clearWithin = 5 * time.Minute // from the start of a scene until its product is left where it is: the operator's token ends
	clearLast   = 3 * time.Second // for the last attempt, when this program ends
)

// onSale is a product that a scene has put into the shop. It is retired when the scene is over, on behalf of the operator who
// started it.
type onSale struct {
	stockOf
	scene  string
	caller http.Header
	since  time.Time
}

// Run retires the products of scenes that are over, until ctx ends. Then it retires those of scenes under way, too. A product
// that it could not retire, as after a crash, is retired after the next time its scene is played.
func (s *Pages) Run(ctx context.Context) error {
	if s.lab == nil {
		<-ctx.Done()
		return nil
	}
	var left []onSale
	for {
		var look <-chan time.Time
		if len(left) > 0 {
			look = time.After(clearEvery)
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), clearLast)
			defer cancel()
			for _, p := range left {
				s.clear(last, p)
			}
			return nil
		case p := <-s.lab.sold:
			left = append(left, p)
		case <-look:
			var still []onSale
			for _, p := range left {
				if time.Since(p.since) < clearWithin && (s.underWay(ctx, p) || !s.clear(ctx, p)) {
					still = append(still, p)
				}
			}
			left = still
		}
	}
}

// underWay reports whether somebody may still want the product: its scene is played, perhaps once more, or a customer waits for an
// answer. While the simulator does not answer, nobody knows.
func (s *Pages) underWay(ctx context.Context, p onSale) bool {
	b := s.lab.state(ctx)
	if b.Faults == nil {
		return true
	}
	wanted := b.Customers.SKU == p.SKU && (b.Customers.Coming || b.Customers.Waiting() > 0)
	return wanted || b.Scene != nil && b.Scene.Name == p.scene
}

// clear retires a product, and reports whether nothing is left to do.
func (s *Pages) clear(ctx context.Context, p onSale) bool {
	err := s.offer(ctx, p.stockOf, true, p.caller, nil)
	if err == nil {
		return true
	}
	s.pages.Log.WarnContext(ctx, "retire the product of a scene", "sku", p.SKU, "error", err)
	problem, refused := errors.AsType[*client.Problem](err)
	return refused && problem.Status < http.StatusInternalServerError // it will be refused again
}

// offer makes or changes the product of a scene.
func (s *Pages) offer(ctx context.Context, p stockOf, retired bool, caller http.Header, now any) error {
	_, err := s.inventory.JSON(ctx, http.MethodPut, "/api/products/"+p.SKU, caller, map[string]any{
		"name": p.Name, "description": p.Description, "price": p.Price, "reorder_point": 0, "reorder_quantity": 0, "retired": retired,
	}, now)
	return err
}

// poisonSubject is what a poison message of the supervisor is about. It is no order, so nobody looks for one.
const poisonSubject = "laboratory"

// discardPoison discards the poison messages that payments has put aside, and returns how many.
func (s *Pages) discardPoison(ctx context.Context, caller http.Header) (n int, err error) {
	var dead struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	const letters = "/api/operations/dead-letters"
	if _, err := s.payments.JSON(ctx, http.MethodGet, letters+"?subject="+poisonSubject, caller, nil, &dead); err != nil {
		return 0, refused(err)
	}
	why := map[string]string{"reason": "a poison message from the laboratory"}
	for _, d := range dead.Items {
		_, err := s.payments.JSON(ctx, http.MethodPost, letters+"/"+url.PathEscape(d.ID)+"/discard", caller, why, nil)
		if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == http.StatusNotFound {
			continue // somebody else was faster
		}
		if err != nil {
			return n, refused(fmt.Errorf("discard %s: %w", d.ID, err))
		}
		n++
	}
	return n, nil
}
