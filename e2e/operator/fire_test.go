package operator

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// deed is what the operator does about a letter.
type deed struct {
	letter
	action string         // replay or discard
	last   string         // what came back at last
	before map[string]int // and before that, how often
}

func (d *deed) String() string {
	if len(d.before) == 0 {
		return d.action + " " + d.last
	}
	return fmt.Sprintf("%s %v and %s", d.action, d.before, d.last)
}

// decide what is to be done: half of the letters are replayed. What cannot be read is not, and what is never asked for
// again is not discarded.
func decide(letters []letter) []*deed {
	deeds := make([]*deed, len(letters))
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
		deeds[i] = &deed{letter: l, action: action, before: map[string]int{}}
	}
	rand.Shuffle(len(deeds), func(i, j int) { deeds[i], deeds[j] = deeds[j], deeds[i] })
	return deeds
}

// atOnce is how many letters are seen to at the same time.
const atOnce = 4

// underFire does all deeds, some at the same time, and meanwhile kills who is concerned.
func (o office) underFire(deeds []*deed) {
	o.Helper()
	victims := []string{"rabbitmq", "postgres", "gateway"}
	for round := 0; round*atOnce < len(deeds); round++ {
		now := deeds[round*atOnce : min(len(deeds), (round+1)*atOnce)]
		victim := fmt.Sprintf("%s-%d", now[0].Service, 1+rand.IntN(2)) // the other replica goes on
		switch round % 4 {
		case 1:
			victim = victims[round/4%len(victims)]
		case 3:
			victim = now[0].Service // all of it
		}
		var busy sync.WaitGroup
		for _, d := range now {
			busy.Go(func() { o.insist(d) })
		}
		time.Sleep(rand.N(80 * time.Millisecond)) // which is about how long a deed takes
		o.again(victim)
		busy.Wait()
		o.Logf("killed %s during %v", victim, now)
	}
	interrupted, ended := 0, map[string]int{}
	for _, d := range deeds {
		if len(d.before) > 0 {
			interrupted++
			ended[d.last]++
		}
	}
	o.Logf("%d deeds, of which %d got no good answer at first: %d were done again, %d were done already", len(deeds), interrupted, ended["204"], ended["404"])
	if interrupted == 0 {
		o.Error("nothing was interrupted: that is no fire")
	}
}

// insist does a deed until it is done, as a person would.
func (o office) insist(d *deed) {
	body := ""
	if d.action == "discard" {
		body = `{"reason":"of no use"}`
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		d.last = "nothing"
		a, err := o.Call("olga", http.MethodPost, path(d.letter, d.action), body)
		if err == nil {
			d.last = strconv.Itoa(a.Status)
		}
		switch {
		case d.last == "404" && len(d.before) == 0:
			o.Errorf("%s has vanished", d.ID)
			return
		case d.last == "204", d.last == "404":
			return
		case err == nil && a.Status < 500:
			o.Errorf("%s %s: %d %s", d.action, d.ID, a.Status, a.Body)
			return
		}
		d.before[d.last]++
	}
	o.Errorf("%s of %s is not done: %v", d.action, d.ID, d.before)
}
