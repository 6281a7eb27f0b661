package laboratory

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

func (s *Pages) getLaboratory(c echo.Context) error {
	return c.JSON(http.StatusOK, s.bench(c.Request().Context()))
}

// putWorld passes a body on to the simulator, which checks it.
func (s *Pages) putWorld(path string) echo.HandlerFunc {
	return func(c echo.Context) error {
		var in, out json.RawMessage
		if err := web.JSON(c, &in); err != nil {
			return err
		}
		if err := s.lab.tellWorld(c.Request().Context(), http.MethodPut, path, in, &out); err != nil {
			return err
		}
		return c.JSONBlob(http.StatusOK, out)
	}
}

// postScene begins a scene.
func (s *Pages) postScene(c echo.Context) error {
	found := s.lab.scene(c.Param("name"))
	if found == nil {
		return fault.New(fault.NotFound, "there is no scene of this name here")
	}
	if err := s.play(c.Request().Context(), *found, upstream.Headers(c)); err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, found)
}

// postDesk passes a wish on to the supervisor: path returns where to.
func (s *Pages) postDesk(path func(c echo.Context) string) echo.HandlerFunc {
	return func(c echo.Context) error {
		var in, out json.RawMessage
		if err := web.OptionalJSON(c, &in); err != nil {
			return err
		}
		var body any
		if len(in) > 0 {
			body = in
		}
		if err := s.lab.askDesk(c.Request().Context(), http.MethodPost, path(c), body, &out); err != nil {
			return err
		}
		return c.JSONBlob(http.StatusAccepted, out)
	}
}

func partPath(c echo.Context) string {
	return "/parts/" + url.PathEscape(c.Param("name")) + "/" + url.PathEscape(c.Param("action"))
}

func at(path string) func(echo.Context) string { return func(echo.Context) string { return path } }

// Pages are the page of the laboratory, and its API.
type Pages struct {
	pages             *site.Site
	absences          *upstream.Absences
	orders, inventory *client.Client
	lab               *Laboratory // nil: there is none
}

// New returns the page of a laboratory; nil: there is none.
func New(pages *site.Site, services upstream.Services, absences *upstream.Absences, lab *Laboratory) *Pages {
	return &Pages{pages: pages, absences: absences, orders: services.Orders, inventory: services.Inventory, lab: lab}
}

// Routes registers the page and the API.
func (s *Pages) Routes(e *web.Server) {
	operator := s.pages.Bearer(identity.ScopeOperations)
	page := slices.Concat(s.pages.Open(), []echo.MiddlewareFunc{s.experiment}, s.pages.Only(identity.ScopeOperations)[len(s.pages.Open()):])
	e.GET("/api/laboratory", s.getLaboratory, s.experiment, operator)
	e.PUT("/api/laboratory/faults", s.putWorld("/faults"), s.experiment, operator)
	e.PUT("/api/laboratory/pace", s.putWorld("/carrier/pace"), s.experiment, operator)
	e.PUT("/api/laboratory/customers", s.putWorld("/customers"), s.experiment, operator)
	e.POST("/api/laboratory/scenes/:name", s.postScene, s.experiment, operator)
	e.POST("/api/laboratory/poison", s.postDesk(at("/poison")), s.experiment, operator)
	e.POST("/api/laboratory/mistake", s.postDesk(at("/mistake")), s.experiment, operator)
	e.POST("/api/laboratory/programs/:name/:action", s.postDesk(partPath), s.experiment, operator)

	e.GET("/laboratory", s.getLaboratoryPage, page...)
	e.POST("/laboratory/scenes/:name", s.postPageScene, page...)
	e.POST("/laboratory/faults", s.postPageFaults, page...)
	e.POST("/laboratory/pace", s.postPagePace, page...)
	e.POST("/laboratory/customers", s.postPageCustomers, page...)
	e.POST("/laboratory/end", s.postPageEnd, page...)
	e.POST("/laboratory/poison", s.postPageBad("/poison", "poisoned"), page...)
	e.POST("/laboratory/mistake", s.postPageBad("/mistake", "mistaken"), page...)
	e.POST("/laboratory/programs/:name/:action", s.postPageProgram, page...)
}
