package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestTheBooksCountReservationsSinceOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 5))
	before, id := uuid.Must(uuid.NewV7()).String(), uuid.Must(uuid.NewV7()).String()
	f.receive(reserve(before, "A", 9), reserve(id, "A", 9))
	a := f.call(http.MethodGet, "/api/operations/books?since="+id, "", f.as("olga"))
	if want := `"rows":[{"status":"rejected","count":1}]`; a.status != http.StatusOK || !strings.Contains(string(a.body), want) {
		t.Errorf("%d %s, want %s", a.status, a.body, want)
	}
}
