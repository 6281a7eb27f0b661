package client

import (
	"context"
	"net/http"
	"testing"
	"time"
)

func TestACallerMayKeepTheAttemptsThatWereSent(t *testing.T) {
	t.Parallel()
	n := serve(t, status(503), status(200))
	c := New(Config{Name: "provider", URLs: URLs{n.URL}})
	send := func(ctx context.Context) {
		t.Helper()
		if got, _, err := outcome(t, c, request(t, http.MethodGet, "", "").WithContext(ctx)); got != 200 {
			t.Fatalf("status %d, error %v", got, err)
		}
	}
	ctx := Witness(t.Context())
	send(ctx)
	made := Attempts(ctx, nil)
	if len(made) != 2 || made[0].Outcome != "503" || made[1].Outcome != "200" || made[0].What != "GET /things" || made[1].At.Before(made[0].At) || time.Since(made[0].At) > time.Minute {
		t.Errorf("the attempts are %+v", made)
	}
	for range 2 * attemptsMost {
		ctx := Witness(t.Context())
		send(ctx)
		made = Attempts(ctx, made)
	}
	if len(made) != attemptsMost || made[0].Outcome != "200" {
		t.Errorf("%d attempts are kept: %+v", len(made), made)
	}
	send(t.Context())
	if same := Attempts(t.Context(), made); len(same) != attemptsMost {
		t.Errorf("%d attempts after a call that nobody witnesses", len(same))
	}
}
