package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/wire"
)

type line struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

type ordering struct {
	Lines []line  `json:"lines"`
	Fast  bool    `json:"fast"`
	Note  *string `json:"note"`
}

// The same text for a reader that must know every member, and for one that need not.
func TestNamesAreExactAndUnique(t *testing.T) {
	t.Parallel()
	const good = `{"lines":[{"sku":"A","quantity":1}],"fast":true}`
	for name, c := range map[string]struct {
		text        string
		known, some string // the member that is complained about; "fine", or "no JSON"
	}{
		"good":                      {good, "fine", "fine"},
		"with blanks":               {" \n" + strings.ReplaceAll(good, ",", " ,\t") + "\r\n", "fine", "fine"},
		"null":                      {`null`, "fine", "fine"},
		"twice":                     {`{"fast":true,"fast":false}`, "fast", "fast"},
		"twice the same":            {`{"fast":true,"fast":true}`, "fast", "fast"},
		"twice, once escaped":       {`{"fast":true,"f\u0061st":false}`, "fast", "fast"},
		"deep down, twice":          {`{"lines":[{"sku":"A"},{"quantity":1,"quantity":2}]}`, "lines[1].quantity", "lines[1].quantity"},
		"twice in what is unknown":  {`{"fast":true,"more":{"a":1,"a":2}}`, "more", "more.a"},
		"besides, in capitals":      {`{"lines":[{"sku":"A","quantity":1,"Quantity":9}]}`, "lines[0].Quantity", "lines[0].Quantity"},
		"before, in capitals":       {`{"lines":[{"sku":"A","QUANTITY":9,"quantity":1}]}`, "lines[0].QUANTITY", "lines[0].quantity"},
		"in capitals only":          {`{"LINES":[{"sku":"A","quantity":1}]}`, "LINES", ""},
		"a long s":                  {`{"fa\u017ft":true}`, "faſt", ""},
		"unknown":                   {`{"fast":true,"more":1}`, "more", "fine"},
		"unknown, with underscore":  {`{"fa_st":true}`, "fa_st", "fine"},
		"another type":              {`{"lines":[{"quantity":"1"}]}`, "lines[0].quantity", "lines[0].quantity"},
		"a fraction":                {`{"lines":[{"quantity":1.5}]}`, "lines[0].quantity", "lines[0].quantity"},
		"too large":                 {`{"lines":[{"quantity":9223372036854775808}]}`, "lines[0].quantity", "lines[0].quantity"},
		"another thing altogether":  {`[]`, "", ""},
		"half a surrogate pair":     {`{"lines":[{"sku":"\ud800"}]}`, "no JSON", "no JSON"},
		"the other half":            {`{"lines":[{"sku":"\udc00\ud800"}]}`, "no JSON", "no JSON"},
		"no UTF-8":                  {"{\"lines\":[{\"sku\":\"\xff\"}]}", "no JSON", "no JSON"},
		"no UTF-8, where none asks": {"{\"more\":\"\xff\"}", "more", "no JSON"},
		"two values":                {`{} {}`, "no JSON", "no JSON"},
		"nothing":                   {``, "no JSON", "no JSON"},
		"cut off":                   {`{"fast":tr`, "no JSON", "no JSON"},
		"too deep":                  {`{"more":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, "more", "no JSON"},
	} {
		var all, some ordering
		for who, got := range map[string]error{"known": wire.ReadKnown([]byte(c.text), &all), "some": wire.Read([]byte(c.text), &some)} {
			want := map[string]string{"known": c.known, "some": c.some}[who]
			field := "no JSON"
			if m, ok := errors.AsType[*wire.Misfit](got); ok {
				field = m.Field
			} else if got == nil {
				field = "fine"
			}
			if field != want {
				t.Errorf("%s, %s: the error is about %q, want %q: %v", name, who, field, want, got)
			}
		}
	}
}

// The reason is for people who do not know this program: it has no names of its types.
func TestAMisfitIsDescribedInWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"x"`:                          "is a string, not an object",
		`[]`:                           "is a list, not an object",
		`{"lines":{}}`:                 "lines: is an object, not a list",
		`{"lines":["A"]}`:              "lines[0]: is a string, not an object",
		`{"lines":[{"sku":7}]}`:        "lines[0].sku: is a number, not a string",
		`{"lines":[{"quantity":"1"}]}`: "lines[0].quantity: is a string, not a whole number",
		`{"lines":[{"quantity":1e2}]}`: "lines[0].quantity: is not a whole number, or is too large",
		`{"fast":1}`:                   "fast: is a number, not a boolean",
		`{"at":7}`:                     "at: is a number, not a time",
		`{"at":"noon"}`:                "at: is a string, not a time",
	} {
		var v struct {
			ordering
			At time.Time `json:"at"`
		}
		if err := wire.ReadKnown([]byte(text), &v); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestAllOfATextIsRead(t *testing.T) {
	t.Parallel()
	var o ordering
	err := wire.Read([]byte(`{"lines":[{"sku":"A","quantity":2,"price":1},{"sku":"\ud83d\ude00"}],"note":"","from_the_future":{}}`), &o)
	if err != nil || len(o.Lines) != 2 || o.Lines[0] != (line{"A", 2}) || o.Lines[1].SKU != "😀" || o.Note == nil {
		t.Errorf("%+v, %v", o, err)
	}
}

// An error about a text goes into answers and logs, so it must not quote a value.
func TestAnErrorQuotesNoValue(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"lines":[{"sku":4111111111111111}]}`, `{"lines":[{"quantity":"4111111111111111"}]}`, `{"fast":4111111111111111}`,
		`{"lines":"4111111111111111"}`, `{"lines":[{"quantity":41111111111111114111111111111111}]}`, `4111111111111111`, `{"fast":4111111111111111x}`,
	} {
		var o ordering
		if err := wire.ReadKnown([]byte(text), &o); err == nil || strings.Contains(err.Error(), "4111") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

var message = []byte(`{"order_id":"0199c0de-0000-7000-8000-000000000001","lines":[{"sku":"MUG-BLUE","quantity":2},{"sku":"PEN","quantity":1}],"allow_backorder":true}`)

type reserve struct {
	OrderID        string `json:"order_id"`
	Lines          []line `json:"lines"`
	AllowBackorder bool   `json:"allow_backorder"`
}

func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		var m reserve
		if err := wire.Read(message, &m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadKnown(b *testing.B) {
	for b.Loop() {
		var m reserve
		if err := wire.ReadKnown(message, &m); err != nil {
			b.Fatal(err)
		}
	}
}

// encoding/json for comparison with both: it only reads, without our checks.
func BenchmarkEncodingJSON(b *testing.B) {
	for b.Loop() {
		var m reserve
		if err := json.Unmarshal(message, &m); err != nil {
			b.Fatal(err)
		}
	}
}
