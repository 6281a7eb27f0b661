package deadletters

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/testkit"
	"github.com/labstack/echo/v4"
	amqp "github.com/rabbitmq/amqp091-go"
)

// letters are n dead letters of three kinds, some of which have died at the same moment.
func letters(n int) []bus.DeadLetter {
	all := make([]bus.DeadLetter, n)
	for i := range all {
		all[i] = bus.DeadLetter{Queue: "payments.commands", Reason: "rejected", LastFailed: time.Unix(int64(i/3), 0).UTC()}
		all[i].ID, all[i].Kind, all[i].Subject, all[i].Body = fmt.Sprintf("m%d", i), fmt.Sprintf("kind-%d", i%3), "o-1", []byte(`{}`)
		all[i].Error = fmt.Sprintf("lock order %d: timeout", i)
	}
	return all
}

func page(all []bus.DeadLetter, limit int, after *item, query string) *listing {
	c := echo.New().NewContext(httptest.NewRequest("GET", "/"+query, nil), nil)
	l := &listing{of: &Operations{service: "payments"}, limit: limit, after: after, wanted: wanted(c), groups: map[group]int{}}
	for _, d := range all {
		l.see(d)
	}
	return l
}

// An operator can reach each dead letter, also when some are settled meanwhile. The memory for a page does not grow with
// their number.
func TestPagesReachEveryDeadLetterOnceTheLatestFirst(t *testing.T) {
	t.Parallel()
	const n = 5000
	all := letters(n)
	rand.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	seen := map[string]bool{}
	var after *item
	for pages := 0; ; pages++ {
		l := page(all, 200, after, "")
		if len(l.items) > 201 || cap(l.items) > 512 {
			t.Fatalf("%d are kept for a page, in room for %d", len(l.items), cap(l.items))
		}
		more := len(l.items) > 200
		for _, it := range l.items[:min(200, len(l.items))] {
			if seen[it.ID] || after != nil && latestFirst(it, *after) <= 0 {
				t.Fatalf("%s comes twice, or too late", it.ID)
			}
			seen[it.ID], after = true, &it
		}
		if !more {
			break
		}
		if pages == 3 { // the letter that the cursor names is settled meanwhile
			all = slices.DeleteFunc(all, func(d bus.DeadLetter) bool { return "payments."+d.ID == after.ID })
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d were reached", len(seen), n)
	}
}

// A list ends in time although there are more dead letters than can be read. The next list sees all of them.
func TestAListThatRunsOutOfTimeShowsTheLettersThatItHasRead(t *testing.T) {
	t.Parallel()
	v := testkit.NewVhost(t)
	broker, err := bus.NewBroker(v.URL, "payments", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	commands := broker.NewDeadLetters(bus.Queue{Service: "payments", Exchange: bus.Commands, Kinds: []string{"payments.take_payment"}, Retries: bus.DefaultRetries})
	if _, _, err := commands.Walk(t.Context(), func(bus.DeadLetter) {}); err != nil { // makes the queue
		t.Fatal(err)
	}
	const n = 500
	for i := range n {
		v.Put("", "payments.commands.dead", amqp.Publishing{MessageId: fmt.Sprint(i)})
	}
	testkit.Until(t, "all are there", func() bool { return v.Depth("payments.commands.dead") == n })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	shown := 0
	seen, total, err := walk(ctx, 2, commands, func(bus.DeadLetter) {
		if shown++; shown == n/2 { // as if the broker had become slow
			<-ctx.Done()
		}
	})
	if err != nil || seen < n/2 || seen == n || total != n {
		t.Errorf("seen %d of %d: %v", seen, total, err)
	}
	testkit.Until(t, "all can be seen again", func() bool {
		seen, _, err := commands.Walk(t.Context(), func(bus.DeadLetter) {})
		return err == nil && seen == n
	})
}

func TestDeadLettersAreCountedByWhatTheyHaveInCommon(t *testing.T) {
	t.Parallel()
	l := page(letters(31), 5, nil, "?kind=kind-1")
	if l.matching != 10 || len(l.items) != 6 || l.items[0].Kind != "kind-1" {
		t.Errorf("%d fit, of which are shown: %+v", l.matching, l.items)
	}
	if got := l.largest(); len(got) != 3 || got[0] != (group{"payments.commands", "kind-0", "rejected", "lock order …: timeout", 11}) || got[2].Count != 10 {
		t.Errorf("%+v", got)
	}
	if l := page(letters(31), 5, nil, "?subject=o-2"); l.matching != 0 || len(l.items) != 0 {
		t.Errorf("of another order: %+v", l.items)
	}
	if l := page(letters(31), 5, nil, "?error="+url.QueryEscape("lock order …: timeout")); l.matching != 31 {
		t.Errorf("%d have the error", l.matching)
	}
	if l := page(letters(31), 5, nil, "?error=lock+order+7"); l.matching != 0 {
		t.Errorf("%d have another error", l.matching)
	}
	nameless := letters(4)
	nameless[2].Kind = ""
	if l := page(nameless, 5, nil, "?kind="); l.matching != 1 {
		t.Errorf("%d have no kind", l.matching)
	}
	many := letters(3 * groupsMost)
	for i := range many {
		many[i].Kind = fmt.Sprint(i)
	}
	if l := page(many, 5, nil, ""); len(l.groups) != groupsMost {
		t.Errorf("%d groups", len(l.groups))
	}
}
