package order_test

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/order"
)

func TestOperatorsFindTheTraceOfAnOrder(t *testing.T) {
	t.Parallel()
	const id = "0af7651916cd43dd8448eb211c80319c"
	for want, f := range map[string]*apptest.Fixture{
		"<dd><code>" + id + "</code>": apptest.NewWithout(t, "TRACES_URL"),
		`<a href="https://traces.example/trace/` + id + `?x=1"><code>` + id + "</code></a>": apptest.New(t),
	} {
		f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{
			"/api/orders/1":          apptest.Says(200, apptest.OneOrder),
			"/api/orders/1/tracking": apptest.Says(200, `{"order_id":"1","status":"placed","timeline":[],"trace_id":"`+id+`"}`),
		}))
		f.As("olga").Loads(200, "/orders/1", want)
		if page := f.As("alice").Loads(200, "/orders/1"); strings.Contains(page, id) { // orders would not tell her, either
			t.Error("alice sees the trace")
		}
	}
}

func TestAnAddressOfTracesHasAPlaceForTheirID(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"http://localhost:16686/trace/{trace_id}": true,
		"https://grafana.example/?id={trace_id}":  true,
		"http://localhost:16686/trace/":           false,
		"/trace/{trace_id}":                       false,
		"javascript:alert({trace_id})":            false,
	} {
		var traces order.TracesURL
		if err := traces.UnmarshalText([]byte(text)); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}
