package main

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

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

const (
	deadLettersDefault = 50
	deadLettersMost    = 200
)

// deadLetterFilters are the parameters that choose among dead letters, and go on to the services as they are.
var deadLetterFilters = []string{"queue", "kind", "reason", "subject"}

// deadLetter is an item of a service's list. The API passes it on as it came; the console shows these fields.
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

// Payload is the message's body for people to read.
func (d deadLetter) Payload() string {
	var text string
	if json.Unmarshal(d.Body, &text) == nil { // it is no JSON, or only the beginning of some
		return text
	}
	pretty, err := json.MarshalIndent(d.Body, "", "  ")
	if err != nil {
		return string(d.Body)
	}
	return string(pretty)
}

// About is the page of the order that a message is about, if it is about one.
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

// deadLetterPage is what a service answers, or all of them together.
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
	Count  int    `json:"count"`
}

// Only is the page of this group alone.
func (g deadLetterGroup) Only() string {
	return "/operations/dead-letters?" + url.Values{"queue": {g.Queue}, "kind": {g.Kind}, "reason": {g.Reason}}.Encode()
}

// deadLetters are those of all services, the latest first. Whoever did not answer is named as missing, with the cause: an
// operator needs the list most when something is wrong.
type deadLetters struct {
	deadLetterPage
	Missing []string
	Away    map[string]*absence // by the name of who is missing
}

func (s *site) deadLetters(ctx context.Context, header http.Header, limit int, query url.Values) (deadLetters, error) {
	asked := url.Values{"limit": {strconv.Itoa(limit)}}
	for _, name := range append([]string{"cursor"}, deadLetterFilters...) {
		if query.Has(name) { // a message may have no kind: empty is a wish, too
			asked.Set(name, query.Get(name))
		}
	}
	pages, errs := make([]deadLetterPage, len(s.services)), make([]error, len(s.services))
	var asking sync.WaitGroup
	for i, service := range s.services {
		asking.Go(func() {
			_, errs[i] = service.client.JSON(ctx, http.MethodGet, "/api/operations/dead-letters?"+asked.Encode(), header, nil, &pages[i])
		})
	}
	asking.Wait()

	all := deadLetters{Missing: []string{}, Away: map[string]*absence{}}
	for i, service := range s.services {
		if statusOf(errs[i]) == http.StatusBadRequest { // as all of them say: it is the question
			return all, fault.New(fault.Malformed, "%s", reasonOf(errs[i])).Because(errs[i])
		}
		away := s.absences.of("dead letters of "+service.name, errs[i], time.Now())
		if away != nil {
			s.log.WarnContext(ctx, "list dead letters", "service", service.name, "error", errs[i])
			all.Missing = append(all.Missing, service.name)
			all.Away[service.name] = away
			pages[i] = deadLetterPage{} // what could be read of it
		}
	}
	return all, all.merge(pages, limit)
}

// merge puts the pages of all services together. Where one service has more to show than it has sent, the page ends: what
// the others have behind that comes with the next page.
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

// cursor is the one that the services give out, too.
func (d deadLetter) cursor() string { return web.Cursor(d.Failed.Format(time.RFC3339Nano), d.ID) }

// getDeadLetters is the list as a part of the API.
func (s *site) getDeadLetters(c echo.Context) error {
	limit, err := web.Limit(c, deadLettersDefault, deadLettersMost)
	if err != nil {
		return err
	}
	all, err := s.deadLetters(c.Request().Context(), headers(c), limit, c.QueryParams())
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

// deadLettersScreen is the list as a page.
type deadLettersScreen struct {
	deadLetters
	Deaf     *absence // RabbitMQ is away, as far as this program hears: that may be why
	Filters  []string // as people read them
	NextPage string
}

// getDeadLettersPage does not refresh itself: to look is to ask the broker for each message.
func (s *site) getDeadLettersPage(c echo.Context) error {
	query := c.QueryParams()
	all, err := s.deadLetters(c.Request().Context(), asVisitor(c), deadLettersDefault, query)
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
	return s.pages.render(c, http.StatusOK, "deadletters.html", screen)
}

func (s *site) postReplay(c echo.Context) error { return s.settle(c, "replay", nil, "replayed") }

func (s *site) postDiscard(c echo.Context) error {
	return s.settle(c, "discard", map[string]string{"reason": strings.TrimSpace(c.FormValue("reason"))}, "discarded")
}

// settle asks the service that a dead letter's id begins with.
func (s *site) settle(c echo.Context, action string, in any, done string) error {
	const list = "/operations/dead-letters"
	back := sameList(c, list)
	id := c.Param("id")
	owner, _, _ := strings.Cut(id, ".")
	i := slices.IndexFunc(s.services, func(n upstream) bool { return n.name == owner })
	if i < 0 {
		return echo.ErrNotFound
	}
	err := tell(c, s.services[i].client, "/api"+list+"/"+url.PathEscape(id)+"/"+action, "", in, nil)
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == http.StatusNotFound {
		return seeOther(c, withNotice(c, back, "gone"))
	}
	if err != nil {
		return err
	}
	return seeOther(c, withNotice(c, back, done))
}
