package health

import (
	"errors"
	"slices"
	"testing"
)

func TestAProgramWithoutAnAddressIsShownAsAway(t *testing.T) {
	t.Parallel()
	h, err := Program{Name: "orders"}.CheckUp(t.Context())
	if h.State != "away" || !errors.Is(err, errNoAddress) {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestMetricsAreReadInEveryFormThatPrometheusAllows(t *testing.T) {
	t.Parallel()
	text := "# TYPE age gauge\nage{queue=\"a, \\\"b\\\"\",node=\"n\",} 7.5 1767225600000\n# TYPE took histogram\ntook_bucket{le=\"+Inf\"} 1\ntook_sum 2\ntook_count 1\n"
	all := Samples([]byte(text + "nonsense"))
	age := slices.IndexFunc(all, func(m Sample) bool { return m.Name == "age" })
	if age < 0 || all[age].Value != 7.5 || all[age].Labels["queue"] != `a, "b"` || all[age].Labels["node"] != "n" {
		t.Errorf("%+v", all)
	}
}
