// Package wire reads JSON that others write: bodies of requests, messages, answers of upstreams, tokens. Names are exact,
// and an object has each name once. encoding/json is less strict: it takes "Quantity" for "quantity", and the last of two
// equal names. Then two programs that read the same text may disagree about what it says (RFC 8259, 4). A text that is not
// Unicode is refused as well, such as half of a surrogate pair, for which encoding/json would read another character.
package wire

import (
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	v1 "github.com/go-json-experiment/json/v1"
)

// Misfit is an error about one member of a text that is valid JSON.
type Misfit struct {
	Field   string // such as lines[0].quantity; empty: the whole text
	Message string // "is a string, not a whole number"; it quotes no value
}

func (m *Misfit) Error() string { return strings.TrimPrefix(m.Field+": "+m.Message, ": ") }

var (
	known  = json.RejectUnknownMembers(true)
	folded = json.JoinOptions(json.MatchCaseInsensitiveNames(true), v1.MatchCaseSensitiveDelimiter(true))
)

// ReadKnown reads a text whose members must all be known. It is for requests, in which an unknown member is a mistake that
// would not be noticed otherwise.
func ReadKnown(text []byte, v any) error { return misfit(json.Unmarshal(text, v, known)) }

// Read reads a text whose writer may know more than we do: an older or newer release of ours, or another program. Members
// that are not known are ignored. But a less exact reader would take a member for a known one if their names differ only in
// capital letters; so the text is read in both ways, and both must give the same.
func Read(text []byte, v any) error {
	other := reflect.New(reflect.TypeOf(v).Elem())
	other.Elem().Set(reflect.ValueOf(v).Elem())
	if err := json.Unmarshal(text, v); err != nil {
		return misfit(err)
	}
	if err := json.Unmarshal(text, other.Interface(), folded); err != nil {
		return misfit(err)
	}
	if !reflect.DeepEqual(other.Interface(), v) {
		return &Misfit{Message: "has a name in other capital letters than those that are known here"}
	}
	return nil
}

// Valid reports whether a text is JSON that an exact reader can read in one way only.
func Valid(text []byte) bool { return jsontext.Value(text).IsValid() }

// misfit returns err as a Misfit when it is about one member. Any other error is returned as it is: the text is no JSON.
func misfit(err error) error {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(e, jsontext.ErrDuplicateName) {
			return &Misfit{path(e.JSONPointer), "stands in its object more than once"}
		}
		return e.Err
	}
	e, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return err
	case errors.Is(e.Err, json.ErrUnknownName):
		return &Misfit{path(e.JSONPointer), "is not a field that is known here"}
	case e.GoType == nil || e.JSONKind == 0:
		return &Misfit{path(e.JSONPointer), "cannot be read"}
	}
	what := wanted(e)
	if what == wholeNumber && e.JSONKind == jsontext.KindNumber {
		return &Misfit{path(e.JSONPointer), "is not a whole number, or is too large"}
	}
	return &Misfit{path(e.JSONPointer), "is " + kinds[e.JSONKind] + ", not " + what}
}

// path writes a JSON pointer in the usual form: lines[0].quantity.
func path(p jsontext.Pointer) string {
	var b strings.Builder
	for name := range p.Tokens() {
		switch {
		case name != "" && strings.Trim(name, "0123456789") == "":
			b.WriteString("[" + name + "]")
		case b.Len() > 0:
			b.WriteString("." + name)
		default:
			b.WriteString(name)
		}
	}
	return b.String()
}

var kinds = map[jsontext.Kind]string{
	jsontext.KindNull: "null", jsontext.KindFalse: "a boolean", jsontext.KindTrue: "a boolean", jsontext.KindString: "a string",
	jsontext.KindNumber: "a number", jsontext.KindBeginObject: "an object", jsontext.KindBeginArray: "a list",
}

const wholeNumber = "a whole number"

// wanted returns what a member should have been, in words.
func wanted(e *json.SemanticError) string {
	t := e.GoType
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return "a time"
		}
		return "an object"
	case reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return wholeNumber
	}
}
