package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const onTheWay = `{"holding":true,"until":"2026-11-29T12:10:00Z","before":7,"items":[
	{"id":"sh_1","key":"o-1","reference":"o-1","lines":[{"sku":"PEN","quantity":1}],"tracking_number":"SPONE","status":"arranged",
	 "address":{"name":"Alice <b>","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"},
	 "stages":[{"stage":"arranged","at":"2026-11-29T12:00:00Z"}],"next":["dispatched","failed"]},
	{"id":"sh_2","key":"o-2","reference":"o-2","tracking_number":"SPTWO","status":"in_transit","address":{"name":"Bob"},
	 "stages":[{"stage":"arranged","at":"2026-11-29T11:00:00Z"}],"next":["delivered","failed"]}]}`

// carrierSays makes the simulator answer, and returns its latest request with the body.
func (f *fixture) carrierSays(status int, body string) func() (*http.Request, string) {
	var sent string
	answer := says(status, body)
	f.answer("simulator", func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		sent = string(text)
		f.mu.Unlock()
		answer(w, r)
	})
	return func() (*http.Request, string) {
		r := f.asked("simulator")
		f.mu.Lock()
		defer f.mu.Unlock()
		return r, sent
	}
}

func TestTheCourierSeesWhereParcelsGoAndNothingOfTheOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	last := f.carrierSays(200, onTheWay)
	page := f.as("carl").loads(200, "/courier", "SPONE", "Alice &lt;b&gt;, 1 Main St, 10115 Berlin, DE", "Arranged with the carrier",
		"this ends at", `name="holding" value="false"`, "Earlier parcels", `action="/courier/SPTWO"`, ">Deliver<")
	if strings.Count(page, ">Dispatch<") != 1 || strings.Count(page, ">Lost<") != 2 || strings.Contains(page, "o-1") || strings.Contains(page, "My orders") {
		t.Errorf("page: %s", page)
	}
	r, _ := last()
	if r.URL.RequestURI() != "/carrier/parcels?limit=100" || r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
		t.Errorf("asked for %s with %v", r.URL, r.Header)
	}
	more := "/courier?" + url.Values{"cursor": {"Nw"}}.Encode()
	if !strings.Contains(page, more) {
		t.Fatalf("no way to %s", more)
	}
	f.as("carl").loads(200, more, "Latest parcels")
	if r, _ := last(); r.URL.Query().Get("before") != "7" {
		t.Errorf("asked for %s", r.URL)
	}
	f.as("carl").loads(400, "/courier?cursor=x", "That did not work")

	f.carrierSays(200, `{"holding":false,"items":[]}`)
	f.as("carl").loads(200, "/courier", "No parcel is on its way", "I do it by hand")
}

func TestTheCourierDoesItByHand(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.as("carl")
	last := f.carrierSays(200, `{"holding":true,"until":"2026-11-29T12:10:00Z"}`)
	b.posts("/courier/hands", "/courier?cursor=Nw", "holding", "true", "back", "/courier?cursor=Nw")
	if r, body := last(); r.Method != http.MethodPut || r.URL.Path != "/carrier/hands" || body != `{"holding":true}` {
		t.Errorf("%s %s %s", r.Method, r.URL, body)
	}
	f.carrierSays(200, onTheWay)
	b.loads(200, "/courier", "You hold the parcels now")

	last = f.carrierSays(200, `{"tracking_number":"SPONE","status":"dispatched"}`)
	b.posts("/courier/SPONE", "/courier#SPONE", "stage", "dispatched")
	if r, body := last(); r.Method != http.MethodPost || r.URL.Path != "/carrier/parcels/SPONE/stages" || body != `{"stage":"dispatched"}` {
		t.Errorf("%s %s %s", r.Method, r.URL, body)
	}
	f.carrierSays(200, onTheWay)
	b.loads(200, "/courier", "The parcel SPONE is on its way.")

	f.answer("simulator", refuses(409, `{"type":"about:blank","status":409,"detail":"a parcel that is delivered cannot become failed"}`))
	b.posts("/courier/SPONE", "/courier#SPONE", "stage", "failed")
	f.carrierSays(200, onTheWay)
	b.loads(200, "/courier", "has gone on meanwhile")
}

func TestTheCouriersPageOutlivesTheCarrier(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("simulator", says(503, `{}`))
	f.as("carl").loads(200, "/courier", "Where the parcels are is", "not known", `data-every="3"`)
}

func TestOnlyTheCourierMovesParcels(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.carrierSays(200, onTheWay)
	for _, who := range []string{"alice", "olga"} {
		b := f.as(who)
		b.loads(403, "/courier", "This is not for you")
		for _, path := range []string{"/courier/hands", "/courier/SPONE"} {
			if answer, _ := b.send(http.MethodPost, path, url.Values{"stage": {"failed"}}); answer.StatusCode != http.StatusForbidden {
				t.Errorf("%s at %s: %s", who, path, answer.Status)
			}
		}
	}
	f.stranger().posts("/courier/SPONE", "/sign-in?next=%2F", "stage", "failed")
	if answer, _ := f.get("/api/parcels", "Authorization", f.bearer("operations")); answer.StatusCode != http.StatusForbidden {
		t.Errorf("the API, for an operator: %s", answer.Status)
	}
	if r := f.asked("simulator"); r != nil {
		t.Errorf("the carrier was asked for %s", r.URL)
	}
	carl := f.as("carl")
	for _, path := range []string{"/orders", "/orders/o-1", "/checkout", "/operations", "/operations/stock"} {
		carl.loads(403, path, "This is not for you")
	}
}

func TestTheAPIOfTheCourier(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := []string{"Authorization", f.bearer("parcels"), "Content-Type", "application/json"}
	last := f.carrierSays(200, onTheWay)
	answer, body := f.get("/api/parcels?limit=2", token...)
	var list struct {
		Holding bool
		Next    string `json:"next_cursor"`
		Items   []map[string]any
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || answer.StatusCode != 200 || answer.Header.Get("Cache-Control") != "no-store" || !list.Holding || list.Next == "" || len(list.Items) != 2 {
		t.Fatalf("%s %s", answer.Status, body)
	}
	for _, name := range []string{"reference", "key", "lines"} { // what was ordered, and by whom, is not for a courier
		if list.Items[0][name] != nil {
			t.Errorf("%s: %s", name, body)
		}
	}
	if answer, body := f.get("/api/parcels?limit=2&cursor="+list.Next, token...); answer.StatusCode != 200 {
		t.Errorf("%s %s", answer.Status, body)
	}
	if r, _ := last(); r.URL.RawQuery != "before=7&limit=2" {
		t.Errorf("asked for %s", r.URL)
	}
	for _, path := range []string{"/api/parcels?limit=101", "/api/parcels?cursor=x", "/api/parcels?q=x"} {
		if answer, body := f.get(path, token...); answer.StatusCode != 400 {
			t.Errorf("%s: %s %s", path, answer.Status, body)
		}
	}
	for _, test := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"PUT", "/api/parcels/hands", `{"holding":true}`, 200, `{"holding":true,"until":"2026-11-29T12:10:00Z"}`},
		{"PUT", "/api/parcels/hands", `{}`, 422, "must be true or false"},
		{"POST", "/api/parcels/SPONE/stages", `{"stage":"delivered"}`, 200, `"tracking_number":"SPONE"`},
		{"POST", "/api/parcels/sp-one/stages", `{"stage":"delivered"}`, 404, "there is no such parcel"},
	} {
		f.carrierSays(200, `{"holding":true,"until":"2026-11-29T12:10:00Z","tracking_number":"SPONE"}`)
		if answer, body := f.request(test.method, test.path, test.body, token...); answer.StatusCode != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s %s: %s %s", test.method, test.path, answer.Status, body)
		}
	}
	for theirs, ours := range map[int]int{404: 404, 409: 409, 422: 422, 400: 400, 503: 503} {
		f.answer("simulator", refuses(theirs, `{"detail":"not now"}`))
		answer, body := f.request("POST", "/api/parcels/SPONE/stages", `{"stage":"failed"}`, token...)
		if answer.StatusCode != ours || ours < 500 && !strings.Contains(body, "not now") {
			t.Errorf("the carrier answers %d: %s %s", theirs, answer.Status, body)
		}
	}
}

func TestWithoutAWorldOfTheDemoThereIsNoCourier(t *testing.T) {
	t.Parallel()
	for _, without := range []string{"SIMULATOR_URL", "DEMO_SECRET"} {
		f := newFixtureWithout(t, without)
		f.as("carl").loads(404, "/courier")
		if answer, _ := f.get("/api/parcels", "Authorization", f.bearer("parcels")); answer.StatusCode != http.StatusNotFound {
			t.Errorf("without %s: %s", without, answer.Status)
		}
		if slices.ContainsFunc(f.site.pages.people, func(p person) bool { return p.ID == "carl" }) {
			t.Errorf("without %s there is Carl", without)
		}
	}
}
