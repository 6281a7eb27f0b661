package upstream

import (
	"net/http"

	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/client"
	"github.com/labstack/echo/v4"
)

// Headers returns the headers for our requests on behalf of a caller: the token, and the request id that connects the log lines
// of all programs.
func Headers(c echo.Context) http.Header {
	h := http.Header{}
	for _, name := range []string{echo.HeaderAuthorization, echo.HeaderXRequestID} {
		if value := c.Request().Header.Get(name); value != "" {
			h.Set(name, value)
		}
	}
	return h
}

// AsVisitor returns the headers for a page: the caller is the owner of the session.
func AsVisitor(c echo.Context) http.Header {
	h := Headers(c)
	h.Del(echo.HeaderAuthorization)
	if who := visitor.Of(c); who != nil {
		h.Set(echo.HeaderAuthorization, "Bearer "+who.Token)
	}
	return h
}

// Read reads from an upstream on behalf of the visitor.
func Read[T any](c echo.Context, from *client.Client, path string) (answer T, err error) {
	_, err = from.JSON(c.Request().Context(), http.MethodGet, path, AsVisitor(c), nil, &answer)
	return answer, err
}

// Tell makes an upstream do something on behalf of the visitor. With a key the request may be repeated; with an empty key it is
// not.
func Tell(c echo.Context, to *client.Client, path, key string, in, out any) error {
	h := AsVisitor(c)
	if key != "" {
		h.Set("Idempotency-Key", key)
	}
	_, err := to.JSON(c.Request().Context(), http.MethodPost, path, h, in, out)
	return err
}
