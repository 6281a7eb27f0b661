package operator

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// operation is what the operator does with a letter.
type operation struct {
	letter
	action string         // replay or discard
	last   string         // the last answer: a status, or "nothing"
	before map[string]int // the answers before it, and how often each came
}

func (op *operation) String() string {
	if len(op.before) == 0 {
		return op.action + " " + op.last
	}
	return fmt.Sprintf("%s %v and %s", op.action, op.before, op.last)
}

// decide chooses the actions: half of the letters are replayed. Unreadable letters are discarded, and letters that would not be
// sent again are replayed.
func decide(letters []letter) []*operation {
	operations := make([]*operation, len(letters))
	of := map[string]int{}
	for i, l := range letters {
		action := []string{"replay", "discard"}[of[l.Queue]%2]
		switch {
		case !l.trapped():
			action = "discard"
		case l.Kind == "orders.order_completed":
			action = "replay"
		default:
			of[l.Queue]++
		}
		operations[i] = &operation{letter: l, action: action, before: map[string]int{}}
	}
	rand.Shuffle(len(operations), func(i, j int) { operations[i], operations[j] = operations[j], operations[i] })
	return operations
}

// atOnce is how many operations are under way at the same time.
const atOnce = 4

// underFire performs all operations, some at the same time, and meanwhile kills the parts that they need.
func (o office) underFire(operations []*operation) {
	o.Helper()
	victims := []string{"rabbitmq", "postgres", "gateway"}
	for round := 0; round*atOnce < len(operations); round++ {
		now := operations[round*atOnce : min(len(operations), (round+1)*atOnce)]
		victim := fmt.Sprintf("%s-%d", now[0].Service, 1+rand.IntN(2)) // the other replica goes on
		switch round % 4 {
		case 1:
			victim = victims[round/4%len(victims)]
		case 3:
			victim = now[0].Service // all replicas
		}
		var busy sync.WaitGroup
		for _, op := range now {
			busy.Go(func() { o.insist(op) })
		}
		time.Sleep(rand.N(80 * time.Millisecond)) // about as long as an operation takes
		o.again(victim)
		busy.Wait()
		o.Logf("killed %s during %v", victim, now)
	}
	interrupted, ended := 0, map[string]int{}
	for _, op := range operations {
		if len(op.before) > 0 {
			interrupted++
			ended[op.last]++
		}
	}
	o.Logf("%d operations, of which %d got no good answer at first: %d were done again, %d were done already", len(operations), interrupted, ended["204"], ended["404"])
	if interrupted == 0 {
		o.Error("nothing was interrupted: that is no fire")
	}
}

// insist repeats an operation until it is done, as a person would.
func (o office) insist(op *operation) {
	body := ""
	if op.action == "discard" {
		body = `{"reason":"of no use"}`
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		op.last = "nothing"
		a, err := o.Call("olga", http.MethodPost, path(op.letter, op.action), body)
		if err == nil {
			op.last = strconv.Itoa(a.Status)
		}
		switch {
		case op.last == "404" && len(op.before) == 0:
			o.Errorf("%s has vanished", op.ID)
			return
		case op.last == "204", op.last == "404":
			return
		case err == nil && a.Status < 500:
			o.Errorf("%s %s: %d %s", op.action, op.ID, a.Status, a.Body)
			return
		}
		op.before[op.last]++
	}
	o.Errorf("%s of %s is not done: %v", op.action, op.ID, op.before)
}
