package shop

import (
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"regexp"
	"strconv"

	"example.com/orderflow/bff-web/internal/cart"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
)

// These problems of orders get a special treatment at the checkout.
const (
	totalChanged = "urn:orderflow:problem:total-changed"
	keyReused    = "urn:orderflow:problem:key-reused"
)

// explain puts an error beside the fields that it is about. The form keeps its key: a refused order was not made, and an order
// in doubt is not made twice if the form is sent again. Only a key that has made an order is replaced; the customer must then
// confirm a second order.
func (f *checkout) explain(err error, o offer) (int, error) {
	refused, ok := errors.AsType[*client.Problem](err)
	switch {
	case !ok && fault.KindOf(err) != fault.Internal:
		f.Problem = "The shop cannot take the order at the moment. Please try again: it will not be ordered twice."
		return http.StatusServiceUnavailable, nil
	case !ok, refused.Status == http.StatusUnauthorized, refused.Status == http.StatusForbidden:
		return 0, err
	}
	var more struct {
		Total messages.Money    `json:"total"`
		Links map[string]string `json:"links"`
	}
	_ = json.Unmarshal(refused.Body, &more) // other problems have none of these fields
	switch {
	case refused.Type == totalChanged:
		f.Price = more.Total
		f.Problem = "Nothing has been ordered yet: it costs something else than was shown. Please look at the price, and place the order if you agree."
		return http.StatusConflict, nil
	case refused.Type == keyReused, refused.Detail == "this Idempotency-Key was used for another order": // the latter is from the previous release
		f.Key, f.Again, f.Made = cart.KeyAfter(f.Key), false, path.Join("/orders", path.Base(path.Join("/", more.Links["order"])))
		f.Problem = "You have placed this order already. What you have changed since is not a part of it."
		return http.StatusConflict, nil
	}
	f.Errors = map[string]string{}
	for _, e := range refused.Errors {
		if _, ok := f.inputs()[e.Field]; ok {
			f.Errors[e.Field] = e.Message
			continue
		}
		f.Others = append(f.Others, upstream.Sentence(named(e, o)))
	}
	if f.Problem = "Nothing has been ordered yet. Please have a look at what is marked."; len(refused.Errors) == 0 {
		f.Problem = upstream.Sentence(refused.Detail)
	}
	return http.StatusUnprocessableEntity, nil
}

var lineField = regexp.MustCompile(`^lines\[([0-9]{1,3})\]`)

// named returns the error of a line with the name of its product.
func named(e fault.Field, o offer) string {
	if m := lineField.FindStringSubmatch(e.Field); m != nil {
		if i, _ := strconv.Atoi(m[1]); i < len(o.Lines) {
			return o.Lines[i].Product.Name + ": " + e.Message
		}
	}
	return e.Message
}
