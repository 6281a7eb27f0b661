package site

import (
	"slices"
	"strings"

	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// One person at a time is signed in to a browser: all tabs share its cookies. Sessions of tabs would need the name of a person in
// each address, link, form and stream. A host for each person needs nothing of that, because browsers keep cookies by host, and
// resolve all names that end in .localhost to this machine: http://bob.localhost:8080 is Bob beside the Alice of
// http://localhost:8080. So the sign-in page has a link to such a host for each person.

// postSwitch makes the visitor another person of the demo, and stays on the page if that person may see it.
func (s *Site) postSwitch(c echo.Context) error {
	if err := s.signIn(c, c.FormValue("who")); err != nil {
		return err
	}
	return SeeOther(c, WithNotice(c, Local(c.FormValue("next")), switched, visitor.Of(c).Name()))
}

// besides returns the people of the demo without who.
func (s *Site) besides(who *visitor.Session) []Person {
	return slices.DeleteFunc(slices.Clone(s.People), func(p Person) bool { return who != nil && who.Caller.ID == p.ID })
}

// switched is the notice after postSwitch. A page that it comes to with an error is not for the new person.
const switched = "switched"

// elsewhere returns the page that is shown instead of an error to somebody who has just become another person; empty: none.
func elsewhere(c echo.Context) string {
	who := visitor.Of(c)
	if name, _, here := waiting(c); who == nil || !here || name != switched {
		return ""
	}
	i := slices.IndexFunc(people, func(p Person) bool { return p.ID == who.Caller.ID })
	if i < 0 || c.Request().URL.Path == people[i].Home { // from there it would go round in a circle
		return ""
	}
	return people[i].Home
}

// tabs returns an address for each person at which a browser has another session; none unless this is localhost.
func tabs(c echo.Context, people []Person) (all []Link) {
	scheme, text := visitor.CalledAs(c)
	host, ok := web.ParseHost(scheme, text)
	if !ok || scheme != "http" || host.Name != "localhost" && !strings.HasSuffix(host.Name, ".localhost") {
		return nil
	}
	for _, p := range people {
		all = append(all, Link{p.Name, "http://" + p.ID + ".localhost:" + host.Port + signInFor(p.Home)})
	}
	return all
}
