package shop

// field is an input of the checkout, and its error.
type field struct {
	Name, Label, Complete string
	Most                  int
	Pattern, Hint         string // Hint is the id of its explanation

	Value, Error string
	First        bool // the first field with an error, which gets the focus
}

// addressFields are in the order of the page. Orders' name of a field is "shipping_address." and its name.
var addressFields = []field{
	{Name: "name", Label: "Name", Complete: "name", Most: 100},
	{Name: "street", Label: "Street", Complete: "street-address", Most: 200},
	{Name: "postal_code", Label: "Postal code", Complete: "postal-code", Most: 20, Hint: "postal-hint"},
	{Name: "city", Label: "City", Complete: "address-level2", Most: 100},
	{Name: "country", Label: "Country, as two capital letters", Complete: "country", Most: 2, Pattern: "[A-Z]{2}"},
}

// inputs returns the fields of the form by orders' names.
func (f checkout) inputs() map[string]field {
	a := f.Address
	values := map[string]string{"name": a.Name, "street": a.Street, "postal_code": a.PostalCode, "city": a.City, "country": a.Country}
	all := map[string]field{"payment_method": {Name: "payment_method", Label: "How to pay", Error: f.Errors["payment_method"]}}
	first := true
	for _, in := range addressFields {
		theirs := "shipping_address." + in.Name
		in.Value, in.Error = values[in.Name], f.Errors[theirs]
		if in.Error != "" {
			in.First, first = first, false
		}
		all[theirs] = in
	}
	return all
}

// Field returns an input of the address.
func (f checkout) Field(name string) field { return f.inputs()["shipping_address."+name] }

// Wrong returns the fields with errors, in the order of the page.
func (f checkout) Wrong() (wrong []field) {
	all := f.inputs()
	for _, in := range addressFields {
		if now := all["shipping_address."+in.Name]; now.Error != "" {
			wrong = append(wrong, now)
		}
	}
	if pay := all["payment_method"]; pay.Error != "" {
		wrong = append(wrong, pay)
	}
	return wrong
}
