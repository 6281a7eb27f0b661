package messages_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/api/asyncapi"
	. "example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/wire"
)

var (
	at      = time.Date(2026, 1, 2, 3, 4, 5, 600_000, time.UTC)
	money   = Money{2598, "EUR"}
	address = Address{"Alice", "1 Main St", "Berlin", "10115", "DE"}
)

const id = "0199c0de-0000-7000-8000-000000000001"

// all has one of each message.
var all = []Message{
	CheckProgress{},
	OrderPlaced{},
	OrderStatusChanged{},
	OrderCancelled{},
	OrderCompleted{},
	ReserveStock{},
	ReleaseStock{},
	StockReserved{},
	StockBackordered{},
	StockRejected{},
	StockReleased{},
	ProductChanged{},
	StockReplenished{},
	TakePayment{},
	RefundPayment{},
	PaymentTaken{},
	PaymentDeclined{},
	PaymentRefunded{},
	ArrangeShipment{},
	CancelShipment{},
	ShipmentArranged{},
	ShipmentDispatched{},
	ShipmentInTransit{},
	ShipmentDelivered{},
	ShipmentFailed{},
	ShipmentCancelled{},
	CancellationRefused{},
}

func document(t *testing.T) *asyncapi.Document {
	t.Helper()
	d, err := asyncapi.Read()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// examples returns the examples of the document as messages, by their texts.
func examples(t *testing.T) map[string]Message {
	t.Helper()
	d, found := document(t), map[string]Message{}
	for _, m := range all {
		bodies, err := d.Examples(m.Kind())
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range bodies {
			found[string(body)] = decoded(t, m, body)
		}
	}
	return found
}

// decoded reads a body into the type of m, as the inbox does.
func decoded(t *testing.T, m Message, body []byte) Message {
	t.Helper()
	v := reflect.New(reflect.TypeOf(m))
	if err := wire.Read(body, v.Interface()); err != nil {
		t.Fatalf("%s: %v", m.Kind(), err)
	}
	return v.Elem().Interface().(Message)
}

func TestTheListOfCommandsIsComplete(t *testing.T) {
	t.Parallel()
	var want []string
	for _, m := range all {
		if _, ok := m.(Command); ok {
			want = append(want, m.Kind())
		}
	}
	if got := Commands(); !slices.Equal(got, want) {
		t.Errorf("the commands are %v, want %v", got, want)
	}
}

// The examples are the contract: a change of one breaks a service that is running now.
func TestEveryMessageLooksOnTheWireAsItsExample(t *testing.T) {
	t.Parallel()
	for want, m := range examples(t) {
		if got, err := json.Marshal(m); err != nil || string(got) != want {
			t.Errorf("%s is\n%s, %v, want\n%s", m.Kind(), got, err, want)
		}
		withMore := strings.Replace(want, "{", `{"from_the_future":1,`, 1)
		if !reflect.DeepEqual(decoded(t, m, []byte(withMore)), m) {
			t.Errorf("%s is another message with a field of a later release", m.Kind())
		}
	}
}

func TestEveryMessageIsInTheDocumentWithItsFields(t *testing.T) {
	t.Parallel()
	d := document(t)
	var kinds []string
	for _, m := range all {
		kinds = append(kinds, m.Kind())
		is := "event"
		if _, ok := m.(Command); ok {
			is = "command"
		} else if _, ok := m.(Notification); ok {
			is = "notification"
		}
		if says := d.Type(m.Kind()); says != is {
			t.Errorf("%s is a %s, and in the document a %s", m.Kind(), is, says)
		}
		if title := d.Components.Messages.Get(m.Kind()).Title; title != reflect.TypeOf(m).Name() {
			t.Errorf("%s is %T, and in the document %s", m.Kind(), m, title)
		}
		has, says := map[string]asyncapi.Field{}, d.Fields(m.Kind())
		fields("", reflect.TypeOf(m), has)
		for path, f := range has {
			if in, ok := says[path]; !ok || in.Type != f.Type || in.Required != f.Required {
				t.Errorf("%s: the field %s is %+v, and in the document %+v, %t", m.Kind(), path, f, in, ok)
			}
		}
		for path := range says {
			if _, ok := has[path]; !ok {
				t.Errorf("%s: the field %s is only in the document", m.Kind(), path)
			}
		}
	}
	if says := d.Kinds(); !slices.Equal(kinds, says) {
		t.Errorf("the document has %v\nwant %v", says, kinds)
	}
}

// fields collects the fields of a type by their names in JSON, and returns the type in JSON.
func fields(path string, t reflect.Type, into map[string]asyncapi.Field) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return fields(path, t.Elem(), into)
	case t == reflect.TypeFor[time.Time](), t.Kind() == reflect.String:
		return "string"
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return "integer"
	case t.Kind() == reflect.Slice:
		fields(path+"[]", t.Elem(), into)
		return "array"
	}
	for f := range t.Fields() {
		if f.Anonymous {
			fields(path, f.Type, into)
			continue
		}
		name, optional, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := strings.TrimPrefix(path+"."+name, ".")
		into[at] = asyncapi.Field{Type: fields(at, f.Type, into), Required: optional == ""}
	}
	return "object"
}

func TestEveryMessageHasItsNameAndItsSubject(t *testing.T) {
	t.Parallel()
	for _, m := range examples(t) {
		if want := map[bool]string{true: "MUG-BLUE", false: id}[m.Kind() == "inventory.product_changed" || m.Kind() == "inventory.stock_replenished"]; m.Subject() != want {
			t.Errorf("%s is about %q, want %q", m.Kind(), m.Subject(), want)
		}
		if v, ok := m.(Validator); ok && v.Validate() != nil {
			t.Errorf("%s: %v", m.Kind(), v.Validate())
		}
	}
	var kinds []string
	for _, m := range all {
		kinds = append(kinds, m.Kind())
	}
	// Each type with a Kind method in this package must be among them, and be in its owner's file.
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != "Kind" || f.Recv == nil {
				continue
			}
			kind := strings.Trim(f.Body.List[0].(*ast.ReturnStmt).Results[0].(*ast.BasicLit).Value, `"`)
			if owner, _, _ := strings.Cut(kind, "."); owner+".go" != file {
				t.Errorf("%s stands in %s", kind, file)
			}
			if !slices.Contains(kinds, kind) {
				t.Errorf("%s is not in the list of this test", kind)
			}
		}
	}
}

func TestAMessageThatBreaksItsRulesIsInvalid(t *testing.T) {
	t.Parallel()
	for _, bad := range []Validator{
		ReserveStock{id, nil, false},
		ReserveStock{id, []Line{{"", 1}}, false},
		ReserveStock{id, []Line{{"A", 0}}, false},
		ArrangeShipment{id, address, nil},
		TakePayment{id, Money{0, "EUR"}, "tok"},
		TakePayment{id, Money{1, ""}, "tok"},
		TakePayment{id, money, ""},
		ProductChanged{SKU: "A", Price: Money{-1, "EUR"}},
	} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestAnEventAboutSeveralStagesIsOneOfEach(t *testing.T) {
	t.Parallel()
	on := ShipmentChange{OrderID: id, Carrier: "Swift Parcel", TrackingNumber: "SP123", EstimatedDelivery: at.Add(time.Hour)}
	reached := func(seconds int) ShipmentChange {
		c := on
		c.At = at.Add(time.Duration(seconds) * time.Second)
		return c
	}
	last := reached(3)
	last.Reason, last.Settled = "settled_by_hand", &Settlement{"olga", "it is lost"}
	last.Earlier = []ShipmentStage{{"arranged", reached(0).At}, {"dispatched", reached(1).At}, {"a stage of a later release", at}, {"in_transit", reached(2).At}}
	got := Unfold(ShipmentFailed{last})
	alone := last
	alone.Earlier = nil
	want := []Message{ShipmentArranged{reached(0)}, ShipmentDispatched{reached(1)}, ShipmentInTransit{reached(2)}, ShipmentFailed{alone}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("it is\n%+v\nwant\n%+v", got, want)
	}
	for _, m := range all {
		if got := Unfold(m); len(got) != 1 || !reflect.DeepEqual(got[0], m) {
			t.Errorf("%s unfolds to %+v", m.Kind(), got)
		}
	}
}
