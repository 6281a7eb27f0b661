package client

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestRequestsWithOneKeyGoToOneReplicaWhileItIsReady(t *testing.T) {
	t.Parallel()
	all := []*upstream{serve(t, status(200)), serve(t, status(200)), serve(t, status(200))}
	c := New(Config{Name: "upstream", URLs: URLs{all[0].URL, all[1].URL, all[2].URL}, BreakerDelay: time.Hour})
	send := func(key string) (to int) {
		t.Helper()
		var before []int
		for _, n := range all {
			before = append(before, n.requests())
		}
		if got, _, err := outcome(t, c, Near(request(t, http.MethodGet, "", ""), key)); got != 200 {
			t.Fatalf("status %d, error %v", got, err)
		}
		for i, n := range all {
			if n.requests() > before[i] {
				to = i
			}
		}
		return to
	}
	home := map[string]int{}
	used := map[int]int{}
	for i := range 60 {
		key := fmt.Sprintf("session-%d", i)
		home[key] = send(key)
		used[home[key]]++
		if again := send(key); again != home[key] {
			t.Errorf("%s went to replica %d and then to %d", key, home[key], again)
		}
	}
	if len(used) != 3 {
		t.Errorf("60 keys are spread over the replicas like this: %v", used)
	}
	c.replicas.known()[0].breaker.Open()
	for key, was := range home {
		switch is := send(key); {
		case is == 0:
			t.Errorf("%s went to a replica whose breaker is open", key)
		case was != 0 && is != was:
			t.Errorf("%s left replica %d for %d, although only replica 0 is away", key, was, is)
		}
	}
}
