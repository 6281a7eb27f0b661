package browser

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// api calls the public API as Alice; the test closes the body.
func api(t *testing.T, token, method, path, body string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, world.GatewayURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func token(t *testing.T) string {
	t.Helper()
	answer, err := http.PostForm(world.GatewayURL+"/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"alice"}, "client_secret": {"demo"}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var granted struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&granted); err != nil {
		t.Fatal(err)
	}
	return granted.Token
}

func TestTheStreamOfTheAPISendsEachStageOnceAndResumes(t *testing.T) {
	t.Parallel()
	alice := token(t)
	placed := api(t, alice, http.MethodPost, "/api/orders", `{"lines":[{"sku":"MUG-BLUE","quantity":1}],"payment_method":"tok_visa",
		"shipping_address":{"name":"Alice","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"}}`, "Idempotency-Key", uuid.NewString())
	if placed.StatusCode != http.StatusAccepted {
		t.Fatal(placed.Status)
	}
	path := placed.Header.Get("Location") + "/tracking"
	stream := api(t, alice, http.MethodGet, path, "", "Accept", "text/event-stream")
	var ids []string
	over := false
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, id)
		}
		over = over || lines.Text() == "event: end"
	}
	if got := strings.Join(ids, " "); got != "1 2 3 4 5 6 7" || !over {
		t.Errorf("the entries %s, and the end: %t", got, over)
	}
	if again := api(t, alice, http.MethodGet, path, "", "Accept", "text/event-stream", "Last-Event-ID", "7"); again.StatusCode != http.StatusNoContent {
		t.Errorf("after the end: %s", again.Status)
	}
	rest := api(t, alice, http.MethodGet, path, "", "Accept", "text/event-stream", "Last-Event-ID", "5")
	first := ""
	for lines := bufio.NewScanner(rest.Body); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok && first == "" {
			first = id
		}
	}
	if first != "6" {
		t.Errorf("after 5 comes %s", first)
	}
	if stranger := api(t, "nobody's", http.MethodGet, path, "", "Accept", "text/event-stream"); stranger.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger: %s", stranger.Status)
	}
}
