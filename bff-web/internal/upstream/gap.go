package upstream

import (
	"net/http"
	"time"

	"example.com/orderflow/pkg/client"
	"github.com/labstack/echo/v4"
)

// Told is optional data of an upstream: a value, nothing, or the reason why it is not known.
type Told[T any] struct {
	Value *T
	Away  *Absence
}

// OrGap is read for data that a page can do without. Neither a value nor an absence means that there is no data.
func OrGap[T any](absences *Absences, c echo.Context, from *client.Client, what, path string) (answer Told[T]) {
	value, err := Read[T](c, from, path)
	if StatusOf(err) == http.StatusNotFound {
		err = nil
	} else if err == nil {
		answer.Value = &value
	} else {
		absences.log.WarnContext(c.Request().Context(), "a page has a gap", "route", c.Path(), "error", err)
	}
	answer.Away = absences.Of(what, err, time.Now())
	return answer
}
