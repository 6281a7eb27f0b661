package laboratory_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/laboratory"
)

// diary is what the upstreams were told, in order.
type diary struct{ entries chan string }

// writes makes an upstream note each request, with its body, and answer it.
func (d diary) writes(of string, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodGet {
			d.entries <- strings.TrimSpace(of + " " + r.Method + " " + r.URL.Path + " " + string(body))
		}
		answer(w, r)
	}
}

func (d diary) next(t *testing.T) string {
	t.Helper()
	select {
	case entry := <-d.entries:
		return entry
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told anything more")
		return ""
	}
}

// simulated answers like a simulator in which a scene is under way.
func simulated(w http.ResponseWriter, r *http.Request) {
	answers := map[string]string{
		"/faults":       `{"provider":{"latency":"30s","jitter":"0s","error_rate":0,"ambiguous_rate":0,"down":false},"carrier":{"down":true},"supplier":{},"until":"2026-11-23T12:00:00Z","note":"bank-silent"}`,
		"/carrier/pace": `{"pace":"8s"}`,
		"/customers":    `{"rate":5,"mix":{"declined":0},"open":true,"coming":true,"until":"2026-11-23T12:00:00Z","placed":9,"accepted":4,"refused":1,"gave_up":2}`,
	}
	apptest.Says(200, answers[r.URL.Path])(w, r)
}

const somePrograms = `{"items":[{"name":"gateway-1","state":"running","actions":["restart"]},{"name":"payments-1","state":"stopped","actions":["start"],"back":"2026-11-23T12:00:05Z"},{"name":"rabbitmq","state":"running","actions":["stop","kill"]}]}`

func experiments(f *apptest.Fixture) diary {
	d := diary{make(chan string, 20)}
	f.Answer("simulator", d.writes("simulator", simulated))
	f.Answer("supervisor", d.writes("supervisor", func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusAccepted
		if r.Header.Get("Authorization") != "Bearer key of the desk" {
			status = http.StatusUnauthorized
		}
		apptest.Says(status, somePrograms)(w, r)
	}))
	return d
}

func TestTheLaboratoryShowsWhatIsWrongAndWhatRuns(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	experiments(f)
	f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{"/readyz": apptest.Says(200, `{"status":"ready"}`), "/metrics": apptest.Says(200, apptest.Metrics), "/api/operations/attention": apptest.Says(200, `{"items":[]}`)}))
	b := f.As("olga")
	page := b.Loads(200, "/laboratory",
		`<span class="badge paid">Paid 3</span> <span class="badge gift_wrapping">gift wrapping 2</span>`,
		"<strong>The bank falls silent during 50 orders</strong>, until <time",
		`<dt>Bank</dt><dd class="bad">answers after 30s</dd>`, `<dt>Carrier</dt><dd class="bad">down: it resets every connection</dd>`, `<dt>Supplier</dt><dd>works</dd>`,
		"5 a second", "9 came: 4 orders accepted, 1 refused, 2 wait for an answer, 2 gave up",
		`<option value="silent" selected>`, `<option value="down" selected>`, `value="8"`,
		`<span class="badge">under way</span>`, `action="/laboratory/programs/payments-1/start"`, "back at <time", `action="/laboratory/programs/rabbitmq/kill"`)
	if strings.Contains(page, "gateway-1/kill") {
		t.Error("the gateway can be killed, and the page with it")
	}
	for _, s := range laboratory.AllScenes() {
		if !strings.Contains(page, `action="/laboratory/scenes/`+s.Name+`"`) {
			t.Errorf("there is no button for %s", s.Name)
		}
	}
	b.Loads(200, "/operations", `<a href="/laboratory">Laboratory</a>`)

	f.Services["simulator"].Close()
	f.Services["orders"].Close()
	f.Answer("supervisor", apptest.Says(500, ``))
	page = b.Loads(200, "/laboratory", "What goes on outside is", "the simulator cannot be reached", "Which programs run is", "the supervisor answers 500", "no replica of orders tells it")
	if strings.Contains(page, "No scene is under way") || strings.Contains(page, "nobody comes") {
		t.Errorf("it does not know, and says so all the same: %s", page)
	}
}

func TestASceneTellsEverybodyWhatToDoAndForHowLong(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	d := experiments(f)
	b := f.As("olga")
	b.Posts("/laboratory/scenes/payments-dies", "/laboratory")
	b.Loads(200, "/laboratory", "“Payments dies in the middle” has begun.")
	for _, want := range []string{
		`simulator PUT /faults {"provider":{},"carrier":{},"supplier":{},"for":"20s","note":"payments-dies"}`,
		`supervisor POST /parts/payments/kill {"after":"4s","for":"15s"}`,
		`simulator PUT /customers {"rate":10,"for":"20s","orders":100}`,
	} {
		if got := d.next(t); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	b.Posts("/laboratory/scenes/bank-silent", "/laboratory")
	if got := d.next(t); got != `simulator PUT /faults {"provider":{"latency":"30s"},"carrier":{},"supplier":{},"for":"30s","note":"bank-silent"}` {
		t.Error(got)
	}
	d.next(t)
	for scene, want := range map[string]string{"poison": "supervisor POST /poison", "mistake": `supervisor POST /mistake {"for":"15s"}`} {
		b.Posts("/laboratory/scenes/"+scene, "/laboratory")
		d.next(t)
		if got := d.next(t); got != want {
			t.Errorf("%s: %s", scene, got)
		}
		d.next(t)
	}
	if answer, _ := b.Send(http.MethodPost, "/laboratory/scenes/nothing", url.Values{}); answer.StatusCode != http.StatusNotFound {
		t.Errorf("a scene that does not exist: %s", answer.Status)
	}
}

func TestTheKettlesAreOnTheShelfBeforeTheCustomersCome(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	d := experiments(f)
	f.Answer("inventory", d.writes("inventory", func(w http.ResponseWriter, r *http.Request) {
		apptest.Says(200, `{"sku":"LAB-KETTLE","available":3}`)(w, r)
	}))
	f.As("olga").Posts("/laboratory/scenes/ten-kettles", "/laboratory")
	if got := d.next(t); !strings.HasPrefix(got, "inventory PUT /api/products/LAB-KETTLE ") || !strings.Contains(got, `"reorder_quantity":0`) {
		t.Error(got)
	}
	if got := d.next(t); got != `inventory POST /api/products/LAB-KETTLE/stock {"add":7}` {
		t.Error(got)
	}
	if r := f.Asked("inventory"); r.Header.Get("Idempotency-Key") == "" || r.Header.Get("Authorization") == "" {
		t.Errorf("%v", r.Header)
	}
	d.next(t)
	if got := d.next(t); got != `simulator PUT /customers {"rate":20,"for":"20s","orders":200,"sku":"LAB-KETTLE"}` {
		t.Error(got)
	}
}

func TestFaultsPaceAndCustomersAreSetByHand(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	d := experiments(f)
	b := f.As("olga")
	for _, test := range []struct {
		path   string
		fields []string
		want   string
	}{
		{"faults", []string{"provider", "down", "carrier", "slow", "supplier", "well", "for", "1m"}, `simulator PUT /faults {"provider":{"down":true},"carrier":{"latency":"1s","jitter":"1s"},"supplier":{},"for":"1m"}`},
		{"faults", []string{"provider", "failing", "carrier", "ambiguous", "supplier", "silent", "for", ""}, `simulator PUT /faults {"provider":{"error_rate":0.5},"carrier":{"ambiguous_rate":0.5},"supplier":{"latency":"30s"}}`},
		{"pace", []string{"seconds", "1.5"}, `simulator PUT /carrier/pace {"pace":"1.5s"}`},
		{"customers", []string{"rate", "5", "for", "30s", "mix", "good", "sku", " PEN "}, `simulator PUT /customers {"rate":5,"for":"30s","sku":"PEN"}`},
		{"end", nil, `simulator PUT /faults {"provider":{},"carrier":{},"supplier":{}}`},
		{"poison", nil, `simulator PUT /customers {"rate":0}`}, // of the row before
	} {
		b.Posts("/laboratory/"+test.path, "/laboratory", test.fields...)
		if got := d.next(t); got != test.want {
			t.Errorf("%s: got %s\nwant %s", test.path, got, test.want)
		}
	}
	if got := d.next(t); got != "supervisor POST /poison" {
		t.Error(got)
	}
	b.Posts("/laboratory/programs/rabbitmq/kill", "/laboratory#programs")
	if got := d.next(t); got != "supervisor POST /parts/rabbitmq/kill" {
		t.Error(got)
	}
	b.Loads(200, "/laboratory", "rabbitmq is killed. The list shows it.")
	for path, form := range map[string]url.Values{
		"faults":    {"provider": {"ill"}, "carrier": {"well"}, "supplier": {"well"}},
		"pace":      {"seconds": {"NaN"}},
		"customers": {"rate": {"many"}, "mix": {"good"}},
	} {
		if answer, _ := b.Send(http.MethodPost, "/laboratory/"+path, form); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	if answer, _ := b.Send(http.MethodPost, "/laboratory/programs/rabbitmq/explode", url.Values{}); answer.StatusCode != http.StatusNotFound {
		t.Errorf("%s", answer.Status)
	}
	if len(d.entries) > 0 {
		t.Errorf("somebody was told of it: %s", <-d.entries)
	}
	f.Answer("simulator", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"detail":"there are 0 to 20 orders a second"}`)
	})
	answer, page := b.Send(http.MethodPost, "/laboratory/customers", url.Values{"rate": {"21"}, "mix": {"good"}})
	if answer.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, "There are 0 to 20 orders a second.") {
		t.Errorf("%s %s", answer.Status, page)
	}
}

// api sends a request with a token and returns the status and the body.
func api(f *apptest.Fixture, method, path, body string) (int, string) {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), method, f.URL+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	r.Header.Set("Authorization", f.Bearer("operations"))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		f.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		f.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestTheAPIDoesWhatThePageDoes(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	d := experiments(f)
	var state struct {
		Scene    *struct{ Name string }
		Programs []struct{ Name string }
		Scenes   []struct {
			Name    string
			Seconds int
			Look    []laboratory.Sight
		}
		Missing []string
	}
	status, text := api(f, "GET", "/api/laboratory", "")
	if err := json.Unmarshal([]byte(text), &state); err != nil || status != 200 || state.Scene == nil || state.Scene.Name != "bank-silent" || len(state.Programs) != 3 || len(state.Scenes) != len(laboratory.AllScenes()) || state.Scenes[0].Seconds != 30 || strings.Join(state.Missing, " ") != "orders" {
		t.Errorf("%d %s: %v", status, text, err)
	}
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"PUT", "faults", `{"carrier":{"down":true},"for":"1m"}`, 200, `simulator PUT /faults {"carrier":{"down":true},"for":"1m"}`},
		{"PUT", "pace", `{"pace":"1s"}`, 200, `simulator PUT /carrier/pace {"pace":"1s"}`},
		{"PUT", "customers", `{"rate":0}`, 200, `simulator PUT /customers {"rate":0}`},
		{"POST", "poison", ``, 202, `supervisor POST /poison`},
		{"POST", "mistake", `{"for":"5s"}`, 202, `supervisor POST /mistake {"for":"5s"}`},
		{"POST", "programs/payments/kill", `{"for":"20s"}`, 202, `supervisor POST /parts/payments/kill {"for":"20s"}`},
		{"POST", "programs/..%2f..%2fpoison/kill", ``, 202, `supervisor POST /parts/..%2f..%2fpoison/kill`}, // as one name
	} {
		if status, text := api(f, test.method, "/api/laboratory/"+test.path, test.body); status != test.status {
			t.Errorf("%s: %d %s", test.path, status, text)
		}
		if got := d.next(t); got != test.want {
			t.Errorf("%s: %s, want %s", test.path, got, test.want)
		}
	}
	if status, text := api(f, "POST", "/api/laboratory/scenes/carrier-back", ""); status != 202 || !strings.Contains(text, `"name":"carrier-back"`) {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := api(f, "POST", "/api/laboratory/scenes/nothing", ""); status != 404 {
		t.Errorf("a scene that does not exist: %d", status)
	}
	if status, _ := api(f, "PUT", "/api/laboratory/faults", `{`); status != 400 {
		t.Errorf("no JSON: %d", status)
	}
	f.Answer("supervisor", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"detail":"payments-1 is about to start or to stop"}`)
	})
	if status, text := api(f, "POST", "/api/laboratory/programs/payments/kill", ""); status != 409 || !strings.Contains(text, "about to start") {
		t.Errorf("%d %s", status, text)
	}
}

func TestTheLaboratoryIsForOperatorsOfADemonstration(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	experiments(f)
	f.As("alice").Loads(403, "/laboratory")
	if answer, _ := f.Stranger().Send(http.MethodGet, "/laboratory", nil); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("a stranger: %s", answer.Status)
	}
	if answer, _ := f.Get("/api/laboratory", "Authorization", f.Bearer("orders")); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a shopper's token: %s", answer.Status)
	}
	b := f.As("olga")
	b.Headers["Sec-Fetch-Site"], b.Headers["Origin"] = "cross-site", "https://evil.example"
	if answer, _ := b.Send(http.MethodPost, "/laboratory/poison", url.Values{}); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: %s", answer.Status)
	}

	// Without a supervisor, as in containers: no programs, no poison, no scenes with them.
	f = apptest.NewWithout(t, "LABORATORY_URL")
	experiments(f)
	page := f.As("olga").Loads(200, "/laboratory", "With <code>make up</code> and <code>make demo</code> there are more scenes", "bank-silent")
	if strings.Contains(page, "programs") && strings.Contains(page, `id="programs"`) || strings.Contains(page, "/laboratory/poison") || strings.Contains(page, "payments-dies") {
		t.Errorf("%s", page)
	}
	for _, path := range []string{"programs/payments/kill", "poison", "mistake"} {
		if status, text := api(f, "POST", "/api/laboratory/"+path, ""); status != 404 || !strings.Contains(text, "make up") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, _ := api(f, "POST", "/api/laboratory/scenes/payments-dies", ""); status != 404 {
		t.Errorf("a scene that needs a supervisor: %d", status)
	}

	// Without a laboratory there is nothing at all.
	f = apptest.NewWithout(t, "SIMULATOR_URL")
	f.As("olga").Loads(404, "/laboratory")
	if page := f.As("olga").Loads(200, "/operations"); strings.Contains(page, "/laboratory") {
		t.Error("the console leads to it")
	}
	if status, text := api(f, "GET", "/api/laboratory", ""); status != 404 || !strings.Contains(text, "demo identity") {
		t.Errorf("%d %s", status, text)
	}
	apptest.NewWithout(t, "DEMO_SECRET").As("olga").Loads(404, "/laboratory")
}

// A page and all that it loads stay light.
func TestTheLaboratoryIsALightPage(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	experiments(f)
	weight := len(f.As("olga").Loads(200, "/laboratory"))
	for _, file := range []string{"app.css", "laboratory.css", "app.js", "forms.js", "icon.svg"} {
		info, err := os.Stat("../static/" + file)
		if err != nil {
			t.Fatal(err)
		}
		weight += int(info.Size())
	}
	if weight > 100_000 {
		t.Errorf("%d bytes", weight)
	}
}
