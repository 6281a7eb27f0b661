package site

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/orderflow/bff-web/internal/visitor"
	"github.com/labstack/echo/v4"
)

// SeeOther ends every form: the browser then loads a page that can be reloaded safely.
func SeeOther(c echo.Context, path string) error { return c.Redirect(http.StatusSeeOther, path) }

// SameList returns the address of the list at path with the filter and the page that the form was on.
func SameList(c echo.Context, path string) string {
	if _, query, more := strings.Cut(c.FormValue("back"), "?"); more && !strings.ContainsAny(query, "#\r\n") {
		path += "?" + query
	}
	return path
}

const (
	noticeCookie = "orderflow_notice"
	noticeKept   = time.Minute // the page with the notice is loaded at once
)

// notice is what a page says about the form that led to it.
type notice struct {
	Text       string
	Link, Name string // a page to go on to; empty: none
}

// notices are all notices. %s stands for the subject of a notice.
var notices = map[string]notice{
	"added":         {"%s is in your cart.", "/cart", "To the cart"},
	"changed":       {Text: "The quantity of %s is changed."},
	"removed":       {Text: "%s is no longer in your cart."},
	"full":          {"The cart is full: no more products fit in.", "/cart", "To the cart"},
	"most":          {"There cannot be more of %s in a cart than are in yours.", "/cart", "To the cart"},
	"cancelled":     {Text: "The cancellation is on its way. This page shows what becomes of it."},
	"late":          {Text: "It is too late to cancel: the parcel has left already."},
	"replayed":      {Text: "The message is back in its queue."},
	"discarded":     {Text: "The message was thrown away. Who did it and why was written down."},
	"several":       {Text: "%s"},
	"none-selected": {Text: "No message was selected."},
	"gone":          {Text: "Somebody else was faster: that message is no longer here."},
	"settled":       {Text: "It is settled by your word. Who did it and why was written down."},
	"asked":         {Text: "The order asks again. This page shows what becomes of it."},
	"over":          {Text: "The order has ended and waits for nothing."},
	"noted":         {Text: "The note is in the log."},
	"stocked":       {Text: "%s: what you have added is on the shelf."},
	"begun":         {"“%s” has begun. It ends by itself.", "/operations", "Watch it"},
	"faults":        {Text: "The world outside is now as you have said."},
	"paced":         {Text: "New parcels have this pace."},
	"invited":       {"It is done: the customers come.", "/operations", "Watch them"},
	"quiet":         {Text: "Faults and customers have ended. Orders that are under way go on."},
	"poisoned":      {"The message is on its way to payments.", "/operations/dead-letters", "Dead letters"},
	"mistaken":      {"Payments has a mistake now. It ends by itself.", "/operations", "Watch it"},
	"directed":      {Text: "%s. The list shows it."},
	"signed-out":    {Text: "You have signed out."},
	"ended":         {Text: "Your session has ended. Nothing was done: please sign in and try again."},
	"kept":          {Text: "Your session has ended. Nothing has been ordered, and what you typed is kept: please sign in."},

	switched: {Text: "You are %s now."},
	"saved":  {Text: "%s: what you have decided is saved."},

	"held":              {Text: "You hold the parcels now: they move when you press something."},
	"unheld":            {Text: "The parcels go on by themselves."},
	"parcel-dispatched": {Text: "The parcel %s is on its way."},
	"parcel-delivered":  {Text: "The parcel %s is delivered."},
	"parcel-failed":     {Text: "The parcel %s is lost."},
	"overtaken":         {Text: "The parcel %s has gone on meanwhile, so nothing was done."},
}

// WithNotice makes the page at path show a notice the next time that it is loaded, and only then. A notice in the address would
// be shown again at each reload.
func WithNotice(c echo.Context, path, name string, about ...string) string {
	at, _, _ := strings.Cut(path, "?")
	at, _, _ = strings.Cut(at, "#")
	value := url.Values{"at": {at}, "say": {name}, "about": about}
	visitor.SetCookie(c, noticeCookie, value.Encode(), time.Now().Add(noticeKept))
	return path
}

// noticeOf returns and removes the notice for this page; nil if there is none. It leaves notices for other pages: a page in
// another tab may be loaded first.
func noticeOf(c echo.Context) *notice {
	name, about, here := waiting(c)
	if !here {
		return nil
	}
	visitor.SetCookie(c, noticeCookie, "", time.Time{})
	n, ok := notices[name]
	if !ok {
		return nil
	}
	n.Text = strings.ReplaceAll(n.Text, "%s", about)
	return &n
}

// waiting returns the name of the notice for this page, and what it is about. here is false if there is none.
func waiting(c echo.Context) (name, about string, here bool) {
	value, err := url.ParseQuery(visitor.Cookie(c, noticeCookie))
	if err != nil || value.Get("at") != c.Request().URL.Path {
		return "", "", false
	}
	return value.Get("say"), value.Get("about"), true
}
