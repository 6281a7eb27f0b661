package console

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"example.com/orderflow/bff-web/internal/cart"
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/wire"
	"github.com/labstack/echo/v4"
)

// edition is what operators decide about a product, as inventory stores it.
type edition struct {
	Name            string         `json:"name"`
	Description     string         `json:"description"`
	Price           messages.Money `json:"price"`
	ReorderPoint    int            `json:"reorder_point"`
	ReorderQuantity int            `json:"reorder_quantity"`
	Retired         bool           `json:"retired"`
}

// productForm is the form of a product. All its inputs are texts, so that it can show again what was typed.
type productForm struct {
	SKU, Name, Description, Price, Currency, ReorderPoint, ReorderQuantity string
	Retired                                                                bool

	New   bool
	Tag   string // of what the operator has seen, for If-Match
	Image string
	Now   *productForm // what somebody else has stored meanwhile

	Problem string
	Errors  map[string]string // by inventory's names of the fields
}

// formOf returns the form for a product as it is stored.
func formOf(e edition) productForm {
	return productForm{
		Name: e.Name, Description: e.Description, Price: decimal(e.Price), Currency: e.Price.Currency,
		ReorderPoint: strconv.Itoa(e.ReorderPoint), ReorderQuantity: strconv.Itoa(e.ReorderQuantity), Retired: e.Retired,
	}
}

// edition reads what was typed. What is no number is among the errors of the form.
func (f *productForm) edition() edition {
	f.Errors = map[string]string{}
	number := func(field, text string) int {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			f.Errors[field] = "must be a whole number"
		}
		return n
	}
	e := edition{
		Name: f.Name, Description: f.Description, Retired: f.Retired,
		ReorderPoint: number("reorder_point", f.ReorderPoint), ReorderQuantity: number("reorder_quantity", f.ReorderQuantity),
	}
	var ok bool
	if e.Price, ok = readDecimal(f.Price, strings.TrimSpace(f.Currency)); !ok {
		f.Errors["price.amount"] = fmt.Sprintf("must be an amount such as %s", decimal(messages.Money{Amount: 1299, Currency: f.Currency}))
	}
	return e
}

var decimalForm = regexp.MustCompile(`^([0-9]{1,12})(?:[.,]([0-9]{1,4}))?$`)

// readDecimal reads an amount as people type it: 12.99 or 12,99.
func readDecimal(text, currency string) (m messages.Money, ok bool) {
	part := decimalForm.FindStringSubmatch(strings.TrimSpace(text))
	places := messages.Decimals(currency)
	if part == nil || len(part[2]) > places {
		return m, false
	}
	amount, err := strconv.ParseInt(part[1]+part[2]+strings.Repeat("0", places-len(part[2])), 10, 64)
	return messages.Money{Amount: amount, Currency: currency}, err == nil
}

// decimal writes an amount as readDecimal reads it.
func decimal(m messages.Money) string {
	places := messages.Decimals(m.Currency)
	text := fmt.Sprintf("%0*d", places+1, m.Amount)
	if places == 0 {
		return text
	}
	return text[:len(text)-places] + "." + text[len(text)-places:]
}

func (s *Pages) getNewProduct(c echo.Context) error {
	return s.pages.Render(c, http.StatusOK, "product.html", productForm{New: true, Currency: "EUR", ReorderPoint: "0", ReorderQuantity: "0"})
}

func (s *Pages) getProduct(c echo.Context) error {
	stored, tag, err := s.stored(c, c.Param("sku"))
	if err != nil {
		return err
	}
	form := formOf(stored)
	form.SKU, form.Tag = c.Param("sku"), tag
	return s.showProduct(c, http.StatusOK, form)
}

func (s *Pages) showProduct(c echo.Context, status int, form productForm) error {
	if !form.New {
		form.Image = "/api/products/" + form.SKU + "/image"
	}
	return s.pages.Render(c, status, "product.html", form)
}

// stored reads a product from inventory, and its entity tag.
func (s *Pages) stored(c echo.Context, name string) (e edition, tag string, err error) {
	if !cart.SKU.MatchString(name) {
		return e, "", echo.ErrNotFound
	}
	r, err := http.NewRequestWithContext(c.Request().Context(), http.MethodGet, "/api/products/"+name, nil)
	if err != nil {
		return e, "", fmt.Errorf("read product: %w", err)
	}
	r.Header = upstream.AsVisitor(c)
	answer, err := s.inventory.Do(r)
	if err != nil {
		return e, "", err
	}
	defer func() { _ = answer.Body.Close() }() // no error matters any more: the body has been read
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return e, "", echo.ErrNotFound
	default:
		return e, "", fault.New(fault.Unavailable, "inventory answers %s", answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err = errors.Join(err, wire.Read(text, &e)); err != nil {
		return e, "", fault.New(fault.BadGateway, "inventory answers what cannot be read").Because(err)
	}
	return e, answer.Header.Get("ETag"), nil
}

func typedProduct(c echo.Context) productForm {
	return productForm{
		SKU: c.FormValue("sku"), Name: c.FormValue("name"), Description: strings.ReplaceAll(c.FormValue("description"), "\r\n", "\n"), // as browsers send it
		Price: c.FormValue("price"), Currency: strings.ToUpper(strings.TrimSpace(c.FormValue("currency"))),
		ReorderPoint: c.FormValue("reorder_point"), ReorderQuantity: c.FormValue("reorder_quantity"),
		Retired: c.FormValue("retired") == "yes", Tag: c.FormValue("tag"),
	}
}

// postNewProduct adds a product. The condition keeps it from changing one that exists.
func (s *Pages) postNewProduct(c echo.Context) error {
	form := typedProduct(c)
	form.SKU, form.New = strings.ToUpper(strings.TrimSpace(form.SKU)), true
	e := form.edition()
	if !cart.SKU.MatchString(form.SKU) {
		form.Errors["sku"] = "must be 1 to 64 letters, digits and hyphens, not a hyphen first"
	}
	return s.saveProduct(c, form, e, edition{}, "If-None-Match", "*")
}

// postProduct changes a product, unless somebody else has changed it since the operator has seen it.
func (s *Pages) postProduct(c echo.Context) error {
	form := typedProduct(c)
	form.SKU = c.Param("sku")
	stored, _, err := s.stored(c, form.SKU)
	if err != nil {
		return err
	}
	e := form.edition()
	return s.saveProduct(c, form, e, stored, "If-Match", cmp.Or(form.Tag, `"none"`))
}

// saveProduct sends an edition to inventory under a condition. It names Retired only if that changes: the release before knows
// no such field, and refuses it.
func (s *Pages) saveProduct(c echo.Context, form productForm, e, stored edition, condition, tag string) error {
	if len(form.Errors) > 0 {
		form.Problem = "Nothing was saved. Please have a look at what is marked."
		return s.showProduct(c, http.StatusUnprocessableEntity, form)
	}
	wish := map[string]any{
		"name": e.Name, "description": e.Description, "price": e.Price, "reorder_point": e.ReorderPoint, "reorder_quantity": e.ReorderQuantity,
	}
	if e.Retired != stored.Retired {
		wish["retired"] = e.Retired
	}
	h := upstream.AsVisitor(c)
	h.Set(condition, tag)
	_, err := s.inventory.JSON(c.Request().Context(), http.MethodPut, "/api/products/"+form.SKU, h, wish, nil)
	refused, isProblem := errors.AsType[*client.Problem](err)
	switch {
	case err == nil:
		return savedProduct(c, form, e)
	case isProblem && refused.Status == http.StatusPreconditionFailed:
		return s.overtakenProduct(c, form, e)
	case isProblem && refused.Status == http.StatusUnprocessableEntity:
		form.explain(refused)
		return s.showProduct(c, http.StatusUnprocessableEntity, form)
	case fault.KindOf(err) == fault.Unavailable, fault.KindOf(err) == fault.Timeout:
		form.Problem = "Inventory does not answer at the moment. Please try again: what was saved already is not saved twice."
		return s.showProduct(c, http.StatusServiceUnavailable, form)
	}
	return err
}

func savedProduct(c echo.Context, form productForm, e edition) error {
	return site.SeeOther(c, site.WithNotice(c, "/operations/products/"+form.SKU, "saved", site.Clip(e.Name)))
}

// overtakenProduct shows what is stored beside what was typed. The same may be stored because this request was sent twice, after
// a lost answer: then all is well.
func (s *Pages) overtakenProduct(c echo.Context, form productForm, e edition) error {
	stored, tag, err := s.stored(c, form.SKU)
	switch {
	case err != nil:
		return err
	case stored == e:
		return savedProduct(c, form, e)
	case form.New:
		form.Problem = "Nothing was saved. Please have a look at what is marked."
		form.Errors["sku"] = "belongs to another product already"
		return s.showProduct(c, http.StatusPreconditionFailed, form)
	}
	now := formOf(stored)
	form.Now, form.Tag = &now, tag
	form.Problem = "Nothing was saved: somebody else has changed this product since you opened it. What you typed is kept, and what is stored stands beside it. If you save again, yours replaces it."
	return s.showProduct(c, http.StatusPreconditionFailed, form)
}

// explain puts the errors of inventory beside the fields that they are about.
func (f *productForm) explain(refused *client.Problem) {
	for _, e := range refused.Errors {
		f.Errors[e.Field] = e.Message
	}
	if _, ok := f.Errors["price.amount"]; ok { // inventory speaks of minor units, the form does not
		f.Errors["price.amount"] = "is too low or too high"
	}
	if f.Problem = "Nothing was saved. Please have a look at what is marked."; len(refused.Errors) == 0 {
		f.Problem = upstream.Sentence(refused.Detail)
	}
}

// productInput is an input of the form, with its error and what somebody else has stored.
type productInput struct {
	Name, Label, Value, Hint, Error, Now string
	Most                                 int
	First                                bool // the first one with an error, which gets the focus
}

// Described returns the ids of the texts about the input.
func (i productInput) Described() string {
	var ids []string
	for _, text := range []struct{ kind, text string }{{"error", i.Error}, {"now", i.Now}, {"hint", i.Hint}} {
		if text.text != "" {
			ids = append(ids, i.Name+"-"+text.kind)
		}
	}
	return strings.Join(ids, " ")
}

// Inputs returns the inputs of the form by name. The names of the price differ from inventory's.
func (f productForm) Inputs() map[string]productInput {
	all := map[string]productInput{}
	now := cmp.Or(f.Now, &f)
	first := true
	for _, in := range []struct {
		name, field, label, value, now, hint string
		most                                 int
	}{
		{"sku", "sku", "Product number", f.SKU, f.SKU, "Letters, digits and hyphens. It cannot be changed later.", 64},
		{"name", "name", "Name", f.Name, now.Name, "", 120},
		{"description", "description", "Description", f.Description, now.Description, "", 2000},
		{"price", "price.amount", "Price", f.Price, now.Price, "", 16},
		{"currency", "price.currency", "Currency", f.Currency, now.Currency, "", 3},
		{"reorder_point", "reorder_point", "Reorder at", f.ReorderPoint, now.ReorderPoint, "When so few units are left, more are ordered.", 7},
		{"reorder_quantity", "reorder_quantity", "Reorder so many", f.ReorderQuantity, now.ReorderQuantity, "0: never.", 7},
	} {
		i := productInput{Name: in.name, Label: in.label, Value: in.value, Hint: in.hint, Most: in.most, Error: f.Errors[in.field]}
		if in.now != in.value {
			i.Now = in.now
		}
		if i.Error != "" {
			i.First, first = first, false
		}
		all[in.name] = i
	}
	return all
}
