package site

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// message is a page with one message.
type message struct {
	Title, Text string
	Again       int    // seconds until the page is loaded again; 0: it is not
	Back        string // the page that led here, if it helps to return to it; empty: none
}

const againAfter = 10 // seconds

// friendly turns an error into a page that says what to do about it.
func (s *Site) friendly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err == nil || c.Response().Committed || errors.Is(err, context.Canceled) {
			return err
		}
		return s.errorPage(c, err)
	}
}

func (s *Site) errorPage(c echo.Context, err error) error {
	ctx := c.Request().Context()
	status := upstream.StatusOf(err)
	if status == http.StatusForbidden || status == http.StatusNotFound {
		if home := elsewhere(c); home != "" {
			return SeeOther(c, WithNotice(c, home, switched, visitor.Of(c).Name()))
		}
	}
	switch status {
	case http.StatusUnauthorized: // the token of the session is no longer valid
		return s.askToSignIn(c)
	case http.StatusForbidden:
		return s.Render(c, status, "message.html", message{Title: "This is not for you", Text: "Your account may not see or do this. Perhaps another one may."})
	case http.StatusNotFound:
		return s.notFound(c)
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusConflict:
		return s.Render(c, status, "message.html", message{Title: "That did not work", Text: upstream.Sentence(upstream.ReasonOf(err)) + " Nothing was changed. Please go back and try again.", Back: cameFrom(c)})
	case http.StatusServiceUnavailable:
		s.Log.WarnContext(ctx, "show a page", "route", c.Path(), "error", err)
		c.Response().Header().Set("Retry-After", strconv.Itoa(againAfter))
		m := message{Title: "We will be right back", Text: "A part of the shop cannot be reached at the moment. Orders that were placed are safe and go on."}
		if c.Request().Method == http.MethodGet {
			m.Text, m.Again = m.Text+" This page tries again by itself.", againAfter
		} else {
			m.Text += " What you have just asked for may or may not have been done: please have a look, and try again."
		}
		return s.Render(c, status, "message.html", m)
	}
	s.Log.ErrorContext(ctx, "show a page", "route", c.Path(), "error", err)
	return s.Render(c, http.StatusInternalServerError, "message.html", message{Title: "Something went wrong", Text: "It is our fault and not yours, and we have noted it."})
}

// cameFrom returns the page of ours that the form was on, as the browser says; empty: it does not say.
func cameFrom(c echo.Context) string {
	u, err := url.Parse(c.Request().Referer())
	if err != nil || u.Path == "" {
		return ""
	}
	return Local(u.RequestURI())
}

// notFound answers browsers with a page, and all others with a problem.
func (s *Site) notFound(c echo.Context) error {
	if !web.WantsPage(c.Request()) {
		return echo.ErrNotFound
	}
	return s.Render(c, http.StatusNotFound, "message.html", message{
		Title: "There is nothing here",
		Text:  "The page may have moved, or the address has a mistake in it.",
	})
}
