// Package courier is the page of the courier of a demonstration, who moves parcels by hand.
package courier

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// The courier works for the carrier, which is outside of Orderflow: what happens here reaches the shop only when shipping asks
// the carrier. So this file calls the simulator, and gives it no token.

const parcelsMost = 100 // on a page; also the default

// Pages are the courier's page and API.
type Pages struct {
	pages     *site.Site
	absences  *upstream.Absences
	simulator *client.Client
}

// New returns the page. simulator plays the carrier; nil: there is no courier.
func New(pages *site.Site, absences *upstream.Absences, simulator *client.Client) *Pages {
	return &Pages{pages: pages, absences: absences, simulator: simulator}
}

// Routes registers the page and the API, if the world outside is a demo that has a courier.
func (s *Pages) Routes(e *web.Server) {
	if s.simulator == nil {
		return
	}
	bearer, carls := s.pages.Bearer(identity.ScopeParcels), s.pages.Only(identity.ScopeParcels)
	e.Takes("/api/parcels", "limit", "cursor")
	e.GET("/api/parcels", s.getParcels, bearer)
	e.PUT("/api/parcels/hands", s.putHands, bearer)
	e.POST("/api/parcels/:tracking_number/stages", s.postStage, bearer)

	e.GET("/courier", s.getCourier, carls...)
	e.POST("/courier/hands", s.postHandsForm, carls...)
	e.POST("/courier/:tracking_number", s.postStageForm, carls...)
}

// hands says whether the courier holds parcels, and until when if the courier does nothing more.
type hands struct {
	Holding bool      `json:"holding"`
	Until   time.Time `json:"until,omitzero"`
}

// heldParcel is a parcel as the courier sees it: where it goes, and not who has ordered what.
type heldParcel struct {
	TrackingNumber string           `json:"tracking_number"`
	Address        messages.Address `json:"address"`
	Status         string           `json:"status"`
	Stages         []parcelStage    `json:"stages"`
	Next           []string         `json:"next"` // the stages that the courier can note
}

type parcelStage struct {
	Stage string    `json:"stage"`
	At    time.Time `json:"at"`
}

// Since returns when the parcel came to its stage.
func (p heldParcel) Since() (at time.Time) {
	if n := len(p.Stages); n > 0 {
		at = p.Stages[n-1].At
	}
	return at
}

// parcels is a page of the parcels that are not at their end, the latest first.
type parcels struct {
	hands
	Items []heldParcel `json:"items"`
	Next  string       `json:"next_cursor"`
}

// parcels asks the carrier for a page.
func (s *Pages) parcels(c echo.Context, limit int) (page parcels, err error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	after, err := web.After(c, 1)
	if err != nil {
		return page, err
	}
	if after != nil {
		query.Set("before", after[0])
	}
	var answer struct {
		parcels
		Before int `json:"before"`
	}
	err = s.carrier(c.Request().Context(), http.MethodGet, "/carrier/parcels?"+query.Encode(), nil, &answer)
	if page = answer.parcels; answer.Before > 0 {
		page.Next = web.Cursor(strconv.Itoa(answer.Before))
	}
	return page, err
}

var trackingNumber = regexp.MustCompile(`^[A-Z0-9]{1,64}$`)

// note notes a stage of a parcel, and returns the parcel as it is then.
func (s *Pages) note(c echo.Context, stage string) (p heldParcel, err error) {
	number := c.Param("tracking_number")
	if !trackingNumber.MatchString(number) {
		return p, fault.New(fault.NotFound, "there is no such parcel")
	}
	err = s.carrier(c.Request().Context(), http.MethodPost, "/carrier/parcels/"+number+"/stages", map[string]string{"stage": stage}, &p)
	return p, err
}

// hold begins or ends the time in which parcels move only by hand.
func (s *Pages) hold(c echo.Context, holding bool) (now hands, err error) {
	err = s.carrier(c.Request().Context(), http.MethodPut, "/carrier/hands", map[string]bool{"holding": holding}, &now)
	return now, err
}

// carrier calls the carrier. Its refusals have a text for people, and become ours.
func (s *Pages) carrier(ctx context.Context, method, path string, in, out any) error {
	_, err := s.simulator.JSON(ctx, method, path, nil, in, out)
	refused, ok := errors.AsType[*client.Problem](err)
	if !ok {
		return err
	}
	kind := fault.Invalid
	switch refused.Status {
	case http.StatusBadRequest:
		kind = fault.Malformed
	case http.StatusNotFound:
		kind = fault.NotFound
	case http.StatusConflict:
		kind = fault.Conflict
	}
	return fault.New(kind, "%s", refused.Detail).Because(err)
}

func (s *Pages) getParcels(c echo.Context) error {
	limit, err := web.Limit(c, parcelsMost, parcelsMost)
	if err != nil {
		return err
	}
	page, err := s.parcels(c, limit)
	return answerCourier(c, page, err)
}

func (s *Pages) putHands(c echo.Context) error {
	var to struct {
		Holding *bool `json:"holding"`
	}
	if err := web.JSON(c, &to); err != nil {
		return err
	}
	if to.Holding == nil {
		return (&fault.Fields{{Field: "holding", Message: "must be true or false"}}).Err()
	}
	now, err := s.hold(c, *to.Holding)
	return answerCourier(c, now, err)
}

func (s *Pages) postStage(c echo.Context) error {
	var to struct {
		Stage string `json:"stage"`
	}
	if err := web.JSON(c, &to); err != nil {
		return err
	}
	p, err := s.note(c, to.Stage)
	return answerCourier(c, p, err)
}

func answerCourier(c echo.Context, body any, err error) error {
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, body)
}

// courierScreen is the courier's page.
type courierScreen struct {
	parcels
	Here        string            // address of this page, to come back to
	Away        *upstream.Absence // the carrier does not answer
	First, More string            // addresses; empty: there is no such page
}

// getCourier serves the page also while the carrier is away: it refreshes itself, and shows the parcels again afterwards.
func (s *Pages) getCourier(c echo.Context) error {
	const path = "/courier"
	page, err := s.parcels(c, parcelsMost)
	if fault.KindOf(err) == fault.Malformed {
		return err
	}
	screen := courierScreen{parcels: page, Here: c.Request().URL.RequestURI(), Away: s.absences.Of("the carrier", err, time.Now())}
	if c.QueryParam("cursor") != "" {
		screen.First = path
	}
	if page.Next != "" {
		screen.More = path + "?" + url.Values{"cursor": {page.Next}}.Encode()
	}
	return s.pages.Render(c, http.StatusOK, "courier.html", screen)
}

func (s *Pages) postHandsForm(c echo.Context) error {
	say, holding := "unheld", c.FormValue("holding") == "true"
	if holding {
		say = "held"
	}
	if _, err := s.hold(c, holding); err != nil {
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, site.SameList(c, "/courier"), say))
}

// postStageForm notes a stage. If the parcel has gone on meanwhile, the page shows where it is.
func (s *Pages) postStageForm(c echo.Context) error {
	stage, say := c.FormValue("stage"), "overtaken"
	_, err := s.note(c, stage)
	switch {
	case err == nil:
		say = "parcel-" + stage
	case fault.KindOf(err) != fault.Conflict:
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, site.SameList(c, "/courier"), say, c.Param("tracking_number"))+"#"+c.Param("tracking_number"))
}
