package cart

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/labstack/echo/v4"
)

// Whatever cookies a browser sends, the cart can be ordered, and taking it out leaves nothing.
func FuzzBasket(f *testing.F) {
	f.Add("orderflow_cart.PEN.a_80=2; orderflow_cart.PEN.b_80=99; orderflow_cart.INK_80=1; orderflow_cart.pen.c_80=1")
	f.Add("orderflow_cart.PEN.a_80=+2; orderflow_cart.A.B.C_80=3; orderflow_cart_80=PEN:2/INK:7; orderflow_cart=CAP:1; orderflow_cart._80=1")
	f.Add("orderflow_cart.PEN.old_80=2; orderflow_cart_80=PEN:2; orderflow_cart.PEN.old_80=3")
	f.Fuzz(func(t *testing.T, cookies string) {
		r := httptest.NewRequest(http.MethodGet, "http://shop/", nil)
		r.Header.Set("Cookie", cookies)
		w := httptest.NewRecorder()
		c := echo.New().NewContext(r, w)
		k := Of(c)
		if !slices.Equal(Parse(k.String()), k) {
			t.Fatalf("%q is %q", cookies, k)
		}
		BasketOf(c).TakeOut(k)
		after := httptest.NewRequest(http.MethodGet, "http://shop/", nil)
		now := map[string]*http.Cookie{}
		for _, cookie := range append(r.Cookies(), w.Result().Cookies()...) {
			now[cookie.Name] = cookie
		}
		for _, cookie := range now {
			if cookie.MaxAge >= 0 {
				after.AddCookie(cookie)
			}
		}
		if left := Of(echo.New().NewContext(after, nil)); len(left) != 0 && len(k) < cartMost {
			t.Errorf("%q leaves %q", cookies, left)
		}
	})
}
