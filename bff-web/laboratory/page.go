package laboratory

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

// choice is one of the values of a select.
type choice struct {
	Value, Label string
	Chosen       bool
}

// illness is a fault that the page offers by name. The API takes any other one.
type illness struct {
	choice
	ailment
}

var illnesses = []illness{
	{choice{Value: "well", Label: "works"}, ailment{}},
	{choice{Value: "slow", Label: "slow: 1 to 2 s"}, ailment{Latency: "1s", Jitter: "1s"}},
	{choice{Value: "silent", Label: "silent: does it, answers too late"}, ailment{Latency: "30s"}},
	{choice{Value: "failing", Label: "failing: every second call"}, ailment{Errors: .5}},
	{choice{Value: "ambiguous", Label: "ambiguous: loses every second answer"}, ailment{Ambiguous: .5}},
	{choice{Value: "down", Label: "down"}, ailment{Down: true}},
}

// same reports whether two faults are the same, however their durations are written.
func (a ailment) same(b ailment) bool {
	return span(a.Latency) == span(b.Latency) && span(a.Jitter) == span(b.Jitter) && a.Errors == b.Errors && a.Ambiguous == b.Ambiguous && a.Down == b.Down
}

func span(text string) time.Duration {
	d, _ := time.ParseDuration(text) // of the simulator; empty: zero
	return d
}

// String says in words what is wrong.
func (a ailment) String() string {
	var wrong []string
	if a.Down {
		return "down: it resets every connection"
	}
	switch latency, jitter := span(a.Latency), span(a.Jitter); {
	case jitter > 0:
		wrong = append(wrong, fmt.Sprintf("answers after %s to %s", latency, latency+jitter))
	case latency > 0:
		wrong = append(wrong, fmt.Sprintf("answers after %s", latency))
	}
	if a.Errors > 0 {
		wrong = append(wrong, fmt.Sprintf("fails in %.0f %% of calls", 100*a.Errors))
	}
	if a.Ambiguous > 0 {
		wrong = append(wrong, fmt.Sprintf("loses the answer of %.0f %%", 100*a.Ambiguous))
	}
	if len(wrong) == 0 {
		return "works"
	}
	return strings.Join(wrong, ", ")
}

// party is a party outside, as the page shows it.
type party struct {
	Name, Label string
	Is          ailment
	Choices     []choice
}

// Ill reports whether something is wrong with it.
func (p party) Ill() bool { return !p.Is.same(ailment{}) }

func (a ailments) parties() []party {
	all := []party{{Name: "provider", Label: "Bank", Is: a.Provider}, {Name: "carrier", Label: "Carrier", Is: a.Carrier}, {Name: "supplier", Label: "Supplier", Is: a.Supplier}}
	for i, p := range all {
		for _, ill := range illnesses {
			ill.Chosen = ill.same(p.Is)
			all[i].Choices = append(all[i].Choices, ill.choice)
		}
	}
	return all
}

var (
	faultTimes    = []choice{{"30s", "for 30 seconds", false}, {"1m", "for 1 minute", true}, {"5m", "for 5 minutes", false}, {"", "until it is changed", false}}
	customerTimes = []choice{{"30s", "for 30 seconds", false}, {"1m", "for 1 minute", true}, {"5m", "for 5 minutes", false}, {"10m", "for 10 minutes", false}}
	mixes         = []choice{{"usual", "as in every shop", true}, {"good", "good cards and addresses only", false}, {"bad", "mostly trouble", false}}
)

var mixOf = map[string]map[string]float64{
	"usual": usualMix, "good": {}, "bad": {"declined": .3, "flaky": .2, "timeout": .1, "undeliverable": .2, "regret": .1},
}

// laboratoryScreen is the data of the page.
type laboratoryScreen struct {
	bench
	Away       *upstream.Absence // set if the simulator does not answer
	Undirected *upstream.Absence // set if the supervisor does not answer
	Parties    []party
	Uncounted  *upstream.Absence // set if no replica of orders tells what is under way
	UnderWay   []orders.Bar
	PaceNow    float64 // seconds
	Desk       bool    // there is a supervisor

	FaultTimes, CustomerTimes, Mixes []choice
}

// On reports whether a scene is the one that is under way.
func (s laboratoryScreen) On(name string) bool { return s.Scene != nil && s.Scene.Name == name }

func (s *Pages) getLaboratoryPage(c echo.Context) error {
	now := time.Now()
	screen := laboratoryScreen{bench: s.bench(c.Request().Context()), Desk: s.lab.desk != nil, FaultTimes: faultTimes, CustomerTimes: customerTimes, Mixes: mixes}
	screen.Away = s.absences.Of("the simulator", screen.errs["simulator"], now)
	screen.Undirected = s.absences.Of("the supervisor", screen.errs["programs"], now)
	screen.Uncounted = s.absences.Of("counting", screen.errs["orders"], now)
	screen.UnderWay = slices.DeleteFunc(orders.Bars(nil, screen.Orders), func(b orders.Bar) bool { return b.Now == nil || *b.Now == 0 })
	if screen.Faults != nil {
		screen.Parties = screen.Faults.parties()
	}
	screen.PaceNow = span(screen.Pace).Seconds()
	return s.pages.Render(c, http.StatusOK, "laboratory.html", screen)
}

const laboratoryPath = "/laboratory"

func (s *Pages) postPageScene(c echo.Context) error {
	found := s.lab.scene(c.Param("name"))
	if found == nil {
		return echo.ErrNotFound
	}
	if err := s.play(c.Request().Context(), *found, upstream.AsVisitor(c)); err != nil {
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, laboratoryPath, "begun", found.Title))
}

func (s *Pages) postPageFaults(c echo.Context) error {
	faults := ailments{For: c.FormValue("for")}
	for name, to := range map[string]*ailment{"provider": &faults.Provider, "carrier": &faults.Carrier, "supplier": &faults.Supplier} {
		i := slices.IndexFunc(illnesses, func(ill illness) bool { return ill.Value == c.FormValue(name) })
		if i < 0 {
			return fault.New(fault.Invalid, "what is wrong with the %s was not said", name)
		}
		*to = illnesses[i].ailment
	}
	if err := s.lab.tellWorld(c.Request().Context(), http.MethodPut, "/faults", faults, nil); err != nil {
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, laboratoryPath, "faults"))
}

func (s *Pages) postPagePace(c echo.Context) error {
	number, err := strconv.ParseFloat(c.FormValue("seconds"), 64)
	if err != nil || !(number >= 0 && number <= 60) {
		return fault.New(fault.Invalid, "a carrier needs 0 to 60 seconds from stage to stage")
	}
	pace := map[string]string{"pace": time.Duration(number * float64(time.Second)).String()}
	if err := s.lab.tellWorld(c.Request().Context(), http.MethodPut, "/carrier/pace", pace, nil); err != nil {
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, laboratoryPath, "paced"))
}

func (s *Pages) postPageCustomers(c echo.Context) error {
	rate, err := strconv.ParseFloat(c.FormValue("rate"), 64)
	mix, known := mixOf[c.FormValue("mix")]
	if err != nil || !known {
		return fault.New(fault.Invalid, "which customers are to come was not said")
	}
	crowd := crowd{Rate: rate, For: c.FormValue("for"), SKU: strings.TrimSpace(c.FormValue("sku")), Mix: mix}
	if err := s.lab.tellWorld(c.Request().Context(), http.MethodPut, "/customers", crowd, nil); err != nil {
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, laboratoryPath, "invited"))
}

// postPageEnd ends faults and customers. Parts that are away for a time come back by themselves.
func (s *Pages) postPageEnd(c echo.Context) error {
	ctx := c.Request().Context()
	err := errors.Join(
		s.lab.tellWorld(ctx, http.MethodPut, "/faults", ailments{}, nil),
		s.lab.tellWorld(ctx, http.MethodPut, "/customers", crowd{}, nil),
	)
	if err != nil {
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, laboratoryPath, "quiet"))
}

// postPageBad puts a bad message or a mistake into the system.
func (s *Pages) postPageBad(path, told string) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.lab.askDesk(c.Request().Context(), http.MethodPost, path, nil, nil); err != nil {
			return err
		}
		return site.SeeOther(c, site.WithNotice(c, laboratoryPath, told))
	}
}

// doings are the words for what is being done to a part.
var doings = map[string]string{"stop": "being stopped", "kill": "killed", "start": "being started", "restart": "being restarted"}

func (s *Pages) postPageProgram(c echo.Context) error {
	doing, known := doings[c.Param("action")]
	if !known {
		return echo.ErrNotFound
	}
	if err := s.lab.askDesk(c.Request().Context(), http.MethodPost, partPath(c), nil, nil); err != nil {
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, laboratoryPath, "directed", site.Clip(c.Param("name"))+" is "+doing)+"#programs")
}
