package browser

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/e2e/stories"
)

func TestTheStreamOfTheAPISendsEachStageOnceAndResumes(t *testing.T) {
	t.Parallel()
	c := beside(t)
	id := c.Place(stories.Wish{SKU: "MUG-BLUE"})
	read := func(after string) (ids string, over bool) {
		for e, err := range c.As("alice").Events(t.Context(), id, after) {
			if err != nil {
				t.Fatal(err)
			}
			ids += e.ID
			over = over || e.Name == "end"
		}
		return ids, over
	}
	if ids, over := read(""); ids != "1234567" || !over {
		t.Errorf("the entries %s, and the end: %t", ids, over)
	}
	if ids, over := read("5"); ids != "67" || !over {
		t.Errorf("after 5 come %s, and the end: %t", ids, over)
	}
	path, stream := "/api/orders/"+id+"/tracking", []string{"Accept", "text/event-stream"}
	c.Must(http.StatusNoContent, "alice", http.MethodGet, path, "", append(stream, "Last-Event-ID", "7")...)
	c.Must(http.StatusUnauthorized, "", http.MethodGet, path, "", append(stream, "Authorization", "Bearer nobody's")...)
	if a := c.Must(http.StatusOK, "alice", http.MethodGet, path, "", stream...); !strings.HasPrefix(a.Header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("it is %s", a.Header.Get("Content-Type"))
	}
}
