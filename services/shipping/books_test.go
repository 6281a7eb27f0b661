package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
)

func TestTheBooksCountShipmentsSinceOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	before, id := uuid.Must(uuid.NewV7()).String(), uuid.Must(uuid.NewV7()).String()
	f.receive(messages.CancelShipment{OrderID: before}, arrangement(id))
	f.work(0)
	response, body := f.call("GET", "/api/operations/books?since="+id, f.token(time.Hour, identity.ScopeOperations))
	if want := `"rows":[{"status":"arranged","count":1}]`; response.StatusCode != 200 || !strings.Contains(string(body), want) {
		t.Errorf("%s %s, want %s", response.Status, body, want)
	}
}
