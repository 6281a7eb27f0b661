package chaos

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/local/audit"
)

func TestATableSaysWhatFaultsDidToOrders(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(1000+int64(s), 0) }
	done := []Done{
		{Fault: Fault{Kind: Killed}, Began: at(10), Healed: at(20)},
		{Fault: Fault{Kind: Killed}, Began: at(30), Healed: at(31)},
		{Fault: Fault{Kind: Killed}, Began: at(10), Healed: at(40), Idle: true},
		{Fault: Fault{Kind: Slow}, Began: at(50), Healed: at(60)},
	}
	all := []life{
		{"before", at(1), at(9), true},
		{"in the first", at(5), at(12), false},
		{"in both", at(12), at(35), true},
		{"after the first", at(21), at(25), true},
		{"cancelled at once", at(20), at(21), false},
		{"without an end", at(40), time.Time{}, false},
		{"after the second", at(32), at(38), true},
	}
	breaches := []audit.Breach{{Subject: "in both"}, {Subject: "in both"}, {Subject: "before"}, {Subject: "without an end"}}
	rows := tabulate(done, all, breaches)
	for _, want := range []row{
		{kind: Killed, times: 2, idle: 1, met: 3, breaches: 4, recovery: []time.Duration{5 * time.Second, 7 * time.Second}},
		{kind: Slow, times: 1, met: 1, breaches: 1},
		{kind: Frozen},
	} {
		i := slices.IndexFunc(rows, func(r row) bool { return r.kind == want.kind })
		got := rows[i]
		if got.times != want.times || got.idle != want.idle || got.met != want.met || got.breaches != want.breaches || !slices.Equal(got.recovery, want.recovery) {
			t.Errorf("%+v\nwant %+v", got, want)
		}
	}
}

func TestRecoveryIsTheTimeInWhichNothingElseWasWrong(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(1000+int64(s), 0) }
	fault := Done{Began: at(0), Healed: at(10)}
	orders := []life{{placed: at(9), ended: at(12), delivered: true}, {placed: at(11), ended: at(15)}, {placed: at(12), ended: at(30), delivered: true}}
	for _, test := range []struct {
		what   string
		others []Done
		want   time.Duration
	}{
		{"alone", nil, 20 * time.Second},
		{"one in the middle", []Done{{Began: at(12), Healed: at(15)}}, 17 * time.Second},
		{"one that was there before, and two at a time", []Done{{Began: at(14), Healed: at(20)}, {Began: at(2), Healed: at(12)}, {Began: at(15), Healed: at(18)}}, 12 * time.Second},
		{"one until the end, and one after it", []Done{{Began: at(28), Healed: at(40)}, {Began: at(50), Healed: at(60)}}, 18 * time.Second},
		{"one that nobody noticed", []Done{{Began: at(12), Healed: at(15), Idle: true}}, 20 * time.Second},
	} {
		if got, ok := recovered(fault, append(test.others, fault), orders); !ok || got != test.want {
			t.Errorf("%s: %s, want %s", test.what, got, test.want)
		}
	}
	if _, ok := recovered(fault, []Done{fault}, orders[:2]); ok {
		t.Error("it recovered, and no order was delivered")
	}
}

func TestAReportTakesThePlaceOfTheLastOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chaos.md")
	opening, closing := place("make chaos")
	otherOpening, otherClosing := place("make another")
	other := otherOpening + "\nof another\n\n" + otherClosing
	for _, step := range []struct{ page, want string }{
		{"# Chaos\n" + opening + closing + "end\n", "# Chaos\n" + opening + "\nfirst\n\n" + closing + "end\n"},
		{"# Chaos\n" + other + opening + "\nolder\n" + closing + "end\n", "# Chaos\n" + other + opening + "\nfirst\n\n" + closing + "end\n"},
	} {
		if err := os.WriteFile(path, []byte(step.page), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := writeInto(path, "make chaos", "first\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != step.want {
			t.Errorf("the page is %q, %v", got, err)
		}
	}
	for _, page := range []string{"", opening, closing + opening, other} {
		if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := writeInto(path, "make chaos", "text"); err == nil || !strings.Contains(err.Error(), "no place") {
			t.Errorf("%q takes a report: %v", page, err)
		}
	}
}

func TestTheStartOfAnOrderIsTheCustomersTime(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(1000+int64(s), 0) }
	order := func(id string, placed, ended int) audit.Order {
		return audit.Order{ID: id, Status: "delivered", PlacedAt: at(placed), Timeline: []audit.TimelineEntry{{At: at(placed)}, {At: at(ended)}}}
	}
	got := lives(
		[]audit.Order{order("true", 1, 5), order("placed by a fast clock", 121, 6), order("ended by a slow one", 1, -115), order("without an answer", 3, 7)},
		map[string]time.Time{"true": at(1), "placed by a fast clock": at(2), "ended by a slow one": at(1)},
	)
	want := []life{{"true", at(1), at(5), true}, {"placed by a fast clock", at(2), at(6), true}, {"without an answer", at(3), at(7), true}}
	if !slices.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
}
