package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

const (
	deadLettersDefault = 50
	deadLettersMost    = 200
)

// deadLetterFilters are the parameters that filter dead letters. They are passed on to the services unchanged.
var deadLetterFilters = []string{"queue", "kind", "reason", "error", "subject"}

// deadLetter is an item of a service's list. The API passes it on unchanged; the console shows these fields.
type deadLetter struct {
	raw         json.RawMessage
	ID          string          `json:"id"`
	Queue       string          `json:"queue"`
	Kind        string          `json:"kind"`
	Subject     string          `json:"subject"`
	Attempts    int             `json:"attempts"`
	Reason      string          `json:"reason"`
	Error       string          `json:"error"`
	FirstFailed time.Time       `json:"first_failed_at"`
	Failed      time.Time       `json:"last_failed_at"`
	Body        json.RawMessage `json:"body"`
}

func (d *deadLetter) UnmarshalJSON(text []byte) error {
	type fields deadLetter
	if err := json.Unmarshal(text, (*fields)(d)); err != nil {
		return err
	}
	d.raw = slices.Clone(text)
	return nil
}

// Payload returns the body of the message in a readable form.
func (d deadLetter) Payload() string {
	var text string
	if json.Unmarshal(d.Body, &text) == nil { // the body is not JSON, or only the beginning of some
		return text
	}
	pretty, err := json.MarshalIndent(d.Body, "", "  ")
	if err != nil {
		return string(d.Body)
	}
	return string(pretty)
}

// About returns the page of the order that the message is about; empty: it is not about an order.
func (d deadLetter) About() string {
	if id := strings.ToLower(d.Subject); orderID.MatchString(id) {
		return "/orders/" + id
	}
	return ""
}

var orderID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func latestFirst(a, b deadLetter) int {
	return cmp.Or(b.Failed.Compare(a.Failed), cmp.Compare(a.ID, b.ID))
}

// deadLetterPage is the list of one service, or of all services together.
type deadLetterPage struct {
	Items    []deadLetter      `json:"items"`
	Next     string            `json:"next_cursor"`
	Total    int               `json:"total"`
	LookedAt int               `json:"looked_at"`
	Matching int               `json:"matching"`
	Groups   []deadLetterGroup `json:"groups"`
}

type deadLetterGroup struct {
	Queue  string `json:"queue"`
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	Error  string `json:"error"` // without ids and numbers
	Count  int    `json:"count"`
}

// Only returns the address of the page with only this group. A service of the release before has no errors in its groups, and
// knows no filter for them.
func (g deadLetterGroup) Only() string {
	v := url.Values{"queue": {g.Queue}, "kind": {g.Kind}, "reason": {g.Reason}}
	if g.Error != "" {
		v.Set("error", g.Error)
	}
	return "/operations/dead-letters?" + v.Encode()
}

// deadLetters are those of all services, the latest first. A service that did not answer is listed as missing, with the cause:
// an operator needs the list most when something is wrong.
type deadLetters struct {
	deadLetterPage
	Missing []string
	Away    map[string]*upstream.Absence // by the name of the missing service
}

func (s *Pages) deadLetters(ctx context.Context, header http.Header, limit int, query url.Values) (deadLetters, error) {
	asked := url.Values{"limit": {strconv.Itoa(limit)}}
	for _, name := range append([]string{"cursor"}, deadLetterFilters...) {
		if query.Has(name) { // an empty filter counts, too: messages may have no kind
			asked.Set(name, query.Get(name))
		}
	}
	pages, errs := make([]deadLetterPage, len(s.services)), make([]error, len(s.services))
	var asking sync.WaitGroup
	for i, service := range s.services {
		asking.Go(func() {
			_, errs[i] = service.Client.JSON(ctx, http.MethodGet, "/api/operations/dead-letters?"+asked.Encode(), header, nil, &pages[i])
		})
	}
	asking.Wait()

	all := deadLetters{Missing: []string{}, Away: map[string]*upstream.Absence{}}
	for i, service := range s.services {
		if upstream.StatusOf(errs[i]) == http.StatusBadRequest { // all services answer this: the query is wrong
			return all, fault.New(fault.Malformed, "%s", upstream.ReasonOf(errs[i])).Because(errs[i])
		}
		away := s.absences.Of("dead letters of "+service.Name, errs[i], time.Now())
		if away != nil {
			s.log.WarnContext(ctx, "list dead letters", "service", service.Name, "error", errs[i])
			all.Missing = append(all.Missing, service.Name)
			all.Away[service.Name] = away
			pages[i] = deadLetterPage{} // drop what could be read of it
		}
	}
	return all, all.merge(pages, limit)
}

// merge combines the pages of all services. It ends the page where the first service has more dead letters than it has sent;
// later ones of the other services are on the next page.
func (d *deadLetters) merge(pages []deadLetterPage, limit int) error {
	var end *deadLetter
	for _, p := range pages {
		d.Items = append(d.Items, p.Items...)
		d.Groups = append(d.Groups, p.Groups...)
		d.Total, d.LookedAt, d.Matching = d.Total+p.Total, d.LookedAt+p.LookedAt, d.Matching+p.Matching
		if n := len(p.Items); p.Next != "" && n > 0 && (end == nil || latestFirst(p.Items[n-1], *end) < 0) {
			end = &p.Items[n-1]
		}
	}
	slices.SortFunc(d.Items, latestFirst)
	slices.SortStableFunc(d.Groups, func(a, b deadLetterGroup) int { return cmp.Compare(b.Count, a.Count) })
	if end != nil {
		d.Items = slices.DeleteFunc(d.Items, func(l deadLetter) bool { return latestFirst(l, *end) > 0 })
	}
	page, err := web.NewPage(d.Items, limit, func(l deadLetter) any { return l.raw }, deadLetter.cursor)
	if err != nil {
		return err
	}
	d.Items, d.Next = d.Items[:len(page.Items)], page.Next
	if d.Next == "" && end != nil {
		d.Next = end.cursor()
	}
	return nil
}

// cursor returns the same cursor as the services do.
func (d deadLetter) cursor() string { return web.Cursor(d.Failed.Format(time.RFC3339Nano), d.ID) }

// getDeadLetters serves the list in the API.
func (s *Pages) getDeadLetters(c echo.Context) error {
	limit, err := web.Limit(c, deadLettersDefault, deadLettersMost)
	if err != nil {
		return err
	}
	all, err := s.deadLetters(c.Request().Context(), upstream.Headers(c), limit, c.QueryParams())
	if err != nil {
		return err
	}
	items := make([]json.RawMessage, len(all.Items))
	for i, d := range all.Items {
		items[i] = d.raw
	}
	causes := map[string]string{}
	for name, away := range all.Away {
		causes[name] = away.Cause
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, map[string]any{
		"items": items, "next_cursor": all.Next, "total": all.Total, "looked_at": all.LookedAt, "matching": all.Matching,
		"groups": append([]deadLetterGroup{}, all.Groups...), "missing": all.Missing, "causes": causes,
	})
}

// deadLettersScreen is the page with the list.
type deadLettersScreen struct {
	deadLetters
	Deaf     *upstream.Absence // this program hears nothing of RabbitMQ, which may explain missing services
	Filters  []string          // in a readable form
	NextPage string
}

// getDeadLettersPage has no automatic refresh, because each request asks the broker for every message.
func (s *Pages) getDeadLettersPage(c echo.Context) error {
	query := c.QueryParams()
	all, err := s.deadLetters(c.Request().Context(), upstream.AsVisitor(c), deadLettersDefault, query)
	if err != nil {
		return err
	}
	screen := deadLettersScreen{deadLetters: all, Deaf: s.deaf(c.Request().Context())}
	further := url.Values{"cursor": {all.Next}}
	for _, name := range deadLetterFilters {
		if query.Has(name) {
			screen.Filters = append(screen.Filters, name+" "+cmp.Or(query.Get(name), "none"))
			further.Set(name, query.Get(name))
		}
	}
	if all.Next != "" {
		screen.NextPage = "/operations/dead-letters?" + further.Encode()
	}
	return s.pages.Render(c, http.StatusOK, "deadletters.html", screen)
}

func (s *Pages) postReplay(c echo.Context) error { return s.settle(c, "replay", nil, "replayed") }

func (s *Pages) postDiscard(c echo.Context) error {
	return s.settle(c, "discard", map[string]string{"reason": strings.TrimSpace(c.FormValue("reason"))}, "discarded")
}

// settle replays or discards one dead letter.
func (s *Pages) settle(c echo.Context, action string, in any, done string) error {
	back := site.SameList(c, "/operations/dead-letters")
	err := s.settleOne(c.Request().Context(), upstream.AsVisitor(c), c.Param("id"), action, in)
	switch {
	case errors.Is(err, errNobodys):
		return echo.ErrNotFound
	case upstream.StatusOf(err) == http.StatusNotFound:
		return site.SeeOther(c, site.WithNotice(c, back, "gone"))
	case err != nil:
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, back, done))
}

var errNobodys = fault.New(fault.NotFound, "no service has such a dead letter")

// settleOne asks the service that is named at the beginning of the dead letter's id.
func (s *Pages) settleOne(ctx context.Context, header http.Header, id, action string, in any) error {
	owner, _, _ := strings.Cut(id, ".")
	i := slices.IndexFunc(s.services, func(n upstream.Service) bool { return n.Name == owner })
	if i < 0 {
		return errNobodys
	}
	_, err := s.services[i].Client.JSON(ctx, http.MethodPost, "/api/operations/dead-letters/"+url.PathEscape(id)+"/"+action, header, in, nil)
	return err
}
