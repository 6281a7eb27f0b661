package cart

import (
	"slices"
	"testing"

	"example.com/orderflow/pkg/messages"
)

func TestACartHoldsOnlyWhatFits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"PEN:2/INK:1": "PEN:2/INK:1", "": "", "PEN": "", "PEN:0": "", "PEN:-1": "", "PEN:100": "", "pen:1": "", "PEN:1/PEN:2": "PEN:1", "<b>:1/INK:1": "INK:1", "PEN:1:2": "",
	} {
		if got := Parse(text).String(); got != want {
			t.Errorf("%q is %q", text, got)
		}
	}
	var k Cart
	ok := true
	for i := range cartMost + 1 {
		var next Cart
		if next, ok = k.With("SKU-"+string(rune('A'+i%26))+string(rune('A'+i/26)), 1000); ok {
			k = next
		}
	}
	if ok || len(k) != cartMost || k.Units() != cartMost*QuantityMost || len(Parse(k.String())) != cartMost {
		t.Errorf("%d products, %d units", len(k), k.Units())
	}
	k, _ = k.With(k[3].SKU, 0)
	if len(k) != cartMost-1 {
		t.Error("nothing was removed")
	}
}

// Whatever the cookie contains, the cart can be ordered, and writing and reading it does not change it. Adding units never
// lowers a quantity.
func FuzzCart(f *testing.F) {
	f.Add("MUG-BLUE:2/PEN:1", "PEN", 3)
	f.Add("MUG:+5/MUG:1/mug:1/:/A:-1/A:100//", "A", -1)
	f.Add("A:99", "A", int(^uint(0)>>1)) // once overflowed: the sum was negative
	f.Fuzz(func(t *testing.T, cookie, name string, n int) {
		k := Parse(cookie)
		if text := k.String(); len(k) > cartMost || len(text) > 2500 || !slices.Equal(Parse(text), k) {
			t.Fatalf("%q is %q", cookie, text)
		}
		for i, l := range k {
			if !SKU.MatchString(l.SKU) || l.Quantity < 1 || l.Quantity > QuantityMost || slices.ContainsFunc(k[:i], func(o messages.Line) bool { return o.SKU == l.SKU }) {
				t.Errorf("%q has the line %+v", cookie, l)
			}
		}
		if !SKU.MatchString(name) || n < 0 {
			return // postCart refuses it
		}
		if more, ok := k.Plus(name, n); ok && (more.Of(name) < k.Of(name) || more.Of(name) > QuantityMost || !slices.Equal(Parse(more.String()), more)) {
			t.Errorf("%q and %d of %s are %q", k, n, name, more)
		}
		if set, ok := k.With(name, n); ok && set.Of(name) != min(n, QuantityMost) {
			t.Errorf("%q with %d of %s is %q", k, n, name, set)
		}
	})
}
