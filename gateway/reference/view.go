package reference

import (
	"bytes"
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"go.yaml.in/yaml/v3"
)

// view is all that the page shows.
type view struct {
	Title, Version string
	Summary        string
	Description    template.HTML
	People         []Person
	Groups         []group
	Schemas        []named
	Problems       []problemView
}

type group struct {
	Name, Anchor string
	Description  template.HTML
	Routes       []route
}

type route struct {
	Method, Path string
	Anchor       string
	Summary      string
	Description  template.HTML
	Deprecated   bool
	Public       bool     // it needs no token
	Scopes       []string // that the token needs
	Who          string   // one of the demo's people with these scopes
	Parameters   []field
	Body         *content
	BodyNeeded   bool
	Answers      []answer
	Accepts      []string // media types among which a client can choose
	Curl         string
	People       []Person // who can try it here
}

type answer struct {
	Status, Text string
	Description  template.HTML
	Headers      []field
	Contents     []content
}

// content is a body in one media type.
type content struct {
	Media       string
	Type        []piece
	Description template.HTML
	Fields      []field
	Examples    []shown
}

type shown struct{ Name, Text string }

type named struct {
	Name        string
	Description template.HTML
	Type        []piece
	Limits      string
	Fields      []field
	Example     string
}

// builder makes a view of a document, and keeps the first mistake of the document.
type builder struct {
	resolver
	people []Person
}

func (b *builder) note(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *builder) json(node *yaml.Node) string {
	text, err := toJSON(node)
	b.note(err)
	return text
}

func (b *builder) plain(node *yaml.Node) string {
	text, err := plainValue(node)
	b.note(err)
	return text
}

// markdown renders a description. goldmark leaves out HTML in it.
func (b *builder) markdown(text string) template.HTML {
	if text == "" {
		return ""
	}
	var out bytes.Buffer
	b.note(goldmark.Convert([]byte(text), &out))
	return template.HTML(out.String()) //nolint:gosec // G203: the text is ours
}

func (b *builder) view() view {
	v := view{
		Title: b.Info.Title, Version: b.Info.Version, Summary: b.Info.Summary, Description: b.markdown(b.Info.Description), People: b.people,
	}
	for _, tag := range b.Tags {
		v.Groups = append(v.Groups, group{Name: tag.Name, Anchor: anchor(tag.Name), Description: b.markdown(tag.Description)})
	}
	for _, item := range b.Paths {
		for _, o := range []struct {
			method string
			*operation
		}{{"GET", item.Value.Get}, {"PUT", item.Value.Put}, {"POST", item.Value.Post}, {"PATCH", item.Value.Patch}, {"DELETE", item.Value.Delete}} {
			if o.operation == nil {
				continue
			}
			tag := "Other routes"
			if len(o.Tags) > 0 {
				tag = o.Tags[0]
			}
			i := slices.IndexFunc(v.Groups, func(g group) bool { return g.Name == tag })
			if i < 0 {
				i, v.Groups = len(v.Groups), append(v.Groups, group{Name: tag, Anchor: anchor(tag)})
			}
			v.Groups[i].Routes = append(v.Groups[i].Routes, b.route(o.method, item.Key, item.Value.Parameters, o.operation))
		}
	}
	v.Groups = slices.DeleteFunc(v.Groups, func(g group) bool { return len(g.Routes) == 0 })
	for _, s := range b.Components.Schemas {
		n := named{Name: s.Key, Description: b.markdown(s.Value.Description), Type: b.typeOf(s.Value), Limits: b.limits(s.Value), Fields: b.fields(s.Value, "")}
		n.Fields = append(n.Fields, b.inside(s.Value.Items, "[]")...)
		if !s.Value.Example.IsZero() {
			n.Example = b.json(&s.Value.Example)
		} else if len(s.Value.Examples) > 0 {
			n.Example = b.json(&s.Value.Examples[0])
		}
		v.Schemas = append(v.Schemas, n)
	}
	return v
}

// anchor is a name for use in an address.
func anchor(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(s)), "-")
}

func (b *builder) route(method, path string, shared []*parameter, o *operation) route {
	r := route{
		Method: method, Path: path, Anchor: cmp.Or(o.ID, anchor(method+path)), Summary: o.Summary, Description: b.markdown(o.Description),
		Deprecated: o.Deprecated, People: b.people,
	}
	r.Public, r.Scopes = b.scopes(o)
	if !r.Public {
		r.Who = b.whoHas(r.Scopes)
	}
	for _, p := range slices.Concat(shared, o.Parameters) {
		r.Parameters = append(r.Parameters, b.parameterField(b.parameter(p)))
	}
	if o.Body != nil {
		body := b.body(o.Body)
		r.BodyNeeded = body.Required
		if len(body.Content) > 0 {
			c := b.content(body.Content[0].Key, body.Content[0].Value)
			c.Description = b.markdown(body.Description)
			if found, name := b.schema(body.Content[0].Value.Schema); name != "" { // a person fills it in here
				c.Fields = b.fields(found, "")
			}
			r.Body = &c
		}
	}
	for _, p := range o.Responses {
		a := b.answer(p.Key, b.response(p.Value))
		r.Answers = append(r.Answers, a)
		if strings.HasPrefix(p.Key, "2") {
			for _, c := range a.Contents {
				if !slices.Contains(r.Accepts, c.Media) {
					r.Accepts = append(r.Accepts, c.Media)
				}
			}
		}
	}
	r.Curl = curl(r)
	return r
}

// scopes returns the scopes of the first alternative that needs any.
func (b *builder) scopes(o *operation) (public bool, scopes []string) {
	alternatives := b.Security
	if o.Security != nil {
		alternatives = *o.Security
	}
	for _, s := range alternatives {
		for _, needed := range s {
			scopes = append(scopes, needed...)
		}
		if len(s) == 0 {
			public = true
		}
		if len(scopes) > 0 {
			break
		}
	}
	slices.Sort(scopes)
	return public || len(alternatives) == 0, slices.Compact(scopes)
}

// whoHas returns the first of the demo's people who has these scopes.
func (b *builder) whoHas(scopes []string) string {
	for _, p := range b.people {
		if !slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(p.Scopes, s) }) {
			return p.ID
		}
	}
	return ""
}

func (b *builder) parameterField(p *parameter) field {
	if p.Schema == nil {
		p.Schema = new(schema)
	}
	f := b.field(p.Name, p.Schema)
	f.In, f.Required, f.Deprecated = p.In, p.Required, p.Deprecated
	if p.Description != "" {
		f.Description = b.markdown(p.Description)
	}
	switch {
	case !p.Example.IsZero():
		f.Example = b.plain(&p.Example)
	case len(p.Examples) > 0:
		f.Example = b.plain(&b.example(p.Examples[0].Value).Value)
	}
	return f
}

func (b *builder) answer(status string, r *response) answer {
	code, _ := strconv.Atoi(status) // 0 for default and 5XX, which have no text
	a := answer{Status: status, Text: http.StatusText(code), Description: b.markdown(r.Description)}
	for _, h := range r.Headers {
		found := b.header(h.Value)
		if found.Schema == nil {
			found.Schema = new(schema)
		}
		f := b.field(h.Key, found.Schema)
		f.Required = found.Required
		if found.Description != "" {
			f.Description = b.markdown(found.Description)
		}
		if !found.Example.IsZero() {
			f.Example = b.plain(&found.Example)
		}
		a.Headers = append(a.Headers, f)
	}
	for _, c := range r.Content {
		a.Contents = append(a.Contents, b.content(c.Key, c.Value))
	}
	return a
}

func (b *builder) content(name string, m media) content {
	c := content{Media: name}
	if m.Schema != nil {
		c.Type = b.typeOf(m.Schema)
		c.Fields = b.inside(&schema{Items: m.Schema}, "")
		for i := range c.Fields { // the body itself has no name
			c.Fields[i].Name = strings.TrimPrefix(c.Fields[i].Name, "[].")
		}
	}
	show := func(title string, node *yaml.Node) {
		c.Examples = append(c.Examples, shown{title, b.bodyOf(name, node)})
	}
	if !m.Example.IsZero() {
		show("", &m.Example)
	}
	for _, e := range m.Examples {
		found := b.example(e.Value)
		show(cmp.Or(found.Summary, e.Key), &found.Value)
	}
	if len(c.Examples) == 0 && m.Schema != nil {
		found, _ := b.schema(m.Schema)
		if !found.Example.IsZero() {
			show("", &found.Example)
		} else if len(found.Examples) > 0 {
			show("", &found.Examples[0])
		}
	}
	return c
}

// bodyOf is a body as it is sent.
func (b *builder) bodyOf(media string, node *yaml.Node) string {
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!str": // a text, such as a stream
		return node.Value
	case media == formMedia && node.Kind == yaml.MappingNode:
		var pairs []string
		for i := 0; i+1 < len(node.Content); i += 2 {
			pairs = append(pairs, url.QueryEscape(node.Content[i].Value)+"="+url.QueryEscape(node.Content[i+1].Value))
		}
		return strings.Join(pairs, "&")
	}
	return b.json(node)
}
