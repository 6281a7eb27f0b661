package messages_test

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	. "example.com/orderflow/pkg/messages"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing them")

var (
	at      = time.Date(2026, 1, 2, 3, 4, 5, 600_000, time.UTC)
	money   = Money{2598, "EUR"}
	lines   = []Line{{"MUG-BLUE", 2}}
	address = Address{"Alice", "1 Main St", "Berlin", "10115", "DE"}
)

const id = "0199c0de-0000-7000-8000-000000000001"

func parcel(by *Settlement, earlier ...ShipmentStage) ShipmentChange {
	return ShipmentChange{OrderID: id, Carrier: "Swift Parcel", TrackingNumber: "SP123", At: at, Settled: by, Earlier: earlier}
}

// examples has one of each message.
var examples = []Message{
	CheckProgress{id, 3, 1},
	OrderPlaced{OrderChange{id, "alice", OrderEntry{1, "placed", true, "order_placed", "order placed", at}, "", nil}, lines, money},
	OrderStatusChanged{OrderChange{id, "alice", OrderEntry{4, "releasing", true, "payment_declined", "payment declined", at}, "payment_declined", nil}},
	OrderCancelled{OrderChange{id, "alice", OrderEntry{5, "cancelled", true, "stock_released", "cancelled", at}, "payment_declined", nil}},
	OrderCompleted{OrderChange{id, "alice", OrderEntry{7, "delivered", true, "shipment_delivered", "delivered", at}, "", []OrderEntry{{6, "shipped", false, "shipment_in_transit", "in transit", at}}}},
	ReserveStock{id, lines, true},
	ReleaseStock{id},
	StockReserved{id},
	StockBackordered{id, lines},
	StockRejected{id, lines},
	StockReleased{id},
	ProductChanged{"MUG-BLUE", 7, "Blue mug", "Holds tea.", "/api/products/MUG-BLUE/image", money, true},
	StockReplenished{"MUG-BLUE", 50, 62},
	TakePayment{id, money, "tok_visa"},
	RefundPayment{id},
	PaymentTaken{id, money},
	PaymentDeclined{id, "card_declined"},
	PaymentRefunded{id, money, nil},
	ArrangeShipment{id, address, lines},
	CancelShipment{id},
	ShipmentArranged{ShipmentChange{OrderID: id, Carrier: "Swift Parcel", TrackingNumber: "SP123", EstimatedDelivery: at.Add(time.Hour), At: at}},
	ShipmentDispatched{parcel(nil)},
	ShipmentInTransit{parcel(nil)},
	ShipmentDelivered{parcel(nil, ShipmentStage{"dispatched", at}, ShipmentStage{"in_transit", at})},
	ShipmentFailed{ShipmentChange{OrderID: id, At: at, Reason: "undeliverable"}},
	ShipmentCancelled{parcel(nil)},
	CancellationRefused{id},
}

func TestTheListOfCommandsIsComplete(t *testing.T) {
	t.Parallel()
	var want []string
	for _, m := range examples {
		if _, ok := m.(Command); ok {
			want = append(want, m.Kind())
		}
	}
	if got := Commands(); !slices.Equal(got, want) {
		t.Errorf("the commands are %v, want %v", got, want)
	}
}

// The golden files are the contract: a change of one breaks a service that is running now.
func TestEveryMessageLooksOnTheWireAsItAlwaysHas(t *testing.T) {
	t.Parallel()
	for _, m := range examples {
		file := filepath.Join("testdata", m.Kind()+".json")
		got, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is\n%swant\n%s", m.Kind(), got, want)
		}
		back := reflect.New(reflect.TypeOf(m))
		withMore := strings.Replace(string(want), "{\n", "{\n  \"from_the_future\": 1,\n", 1)
		if err := json.Unmarshal([]byte(withMore), back.Interface()); err != nil {
			t.Errorf("%s with a field of a later release: %v", m.Kind(), err)
		}
		if !reflect.DeepEqual(back.Elem().Interface(), any(m)) {
			t.Errorf("%s comes back as %+v", m.Kind(), back.Elem())
		}
	}
}

// Fields that only some events have are in no golden file: they are left out there.
func TestAnEventThatAnOperatorHasSettledNamesTheOperator(t *testing.T) {
	t.Parallel()
	by := Settlement{"olga", "repaid by bank transfer"}
	const told = `,"settled":{"operator":"olga","reason":"repaid by bank transfer"}}`
	for _, m := range []Message{PaymentRefunded{id, money, &by}, ShipmentDelivered{parcel(&by)}, ShipmentFailed{parcel(&by)}} {
		text, err := json.Marshal(m)
		if err != nil || !strings.HasSuffix(string(text), told) {
			t.Errorf("%s ends %s, %v, want %s", m.Kind(), text, err, told)
		}
	}
}

func TestEveryMessageHasItsNameItsSubjectAndAnExample(t *testing.T) {
	t.Parallel()
	var kinds []string
	for _, m := range examples {
		kinds = append(kinds, m.Kind())
		if want := map[bool]string{true: "MUG-BLUE", false: id}[m.Kind() == "inventory.product_changed" || m.Kind() == "inventory.stock_replenished"]; m.Subject() != want {
			t.Errorf("%s is about %q, want %q", m.Kind(), m.Subject(), want)
		}
		if v, ok := m.(Validator); ok && v.Validate() != nil {
			t.Errorf("%s: %v", m.Kind(), v.Validate())
		}
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
				t.Errorf("%s has no example here", kind)
			}
		}
	}
}

// docs/messages.md is written for people; this keeps it complete.
func TestTheDocumentNamesEveryMessage(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/messages.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range examples {
		if !strings.Contains(string(doc), "| `"+m.Kind()+"` |") {
			t.Errorf("docs/messages.md has no row for %s", m.Kind())
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
	for _, m := range examples {
		if c, ok := m.(ShipmentDelivered); ok && len(c.Earlier) > 0 {
			continue
		}
		if got := Unfold(m); len(got) != 1 || !reflect.DeepEqual(got[0], m) {
			t.Errorf("%s unfolds to %+v", m.Kind(), got)
		}
	}
}
