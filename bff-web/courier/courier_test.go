package courier_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/internal/site"
)

func TestTheCourierSeesWhereParcelsGoAndNothingOfTheOrders(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	last := f.CarrierSays(200, apptest.OnTheWay)
	page := f.As("carl").Loads(200, "/courier", "SPONE", "Alice &lt;b&gt;, 1 Main St, 10115 Berlin, DE", "Arranged with the carrier",
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
	f.As("carl").Loads(200, more, "Latest parcels")
	if r, _ := last(); r.URL.Query().Get("before") != "7" {
		t.Errorf("asked for %s", r.URL)
	}
	f.As("carl").Loads(400, "/courier?cursor=x", "That did not work")

	f.CarrierSays(200, `{"holding":false,"items":[]}`)
	f.As("carl").Loads(200, "/courier", "No parcel is on its way", "I do it by hand")
}

func TestTheCourierDoesItByHand(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	b := f.As("carl")
	last := f.CarrierSays(200, `{"holding":true,"until":"2026-11-29T12:10:00Z"}`)
	b.Posts("/courier/hands", "/courier?cursor=Nw", "holding", "true", "back", "/courier?cursor=Nw")
	if r, body := last(); r.Method != http.MethodPut || r.URL.Path != "/carrier/hands" || body != `{"holding":true}` {
		t.Errorf("%s %s %s", r.Method, r.URL, body)
	}
	f.CarrierSays(200, apptest.OnTheWay)
	b.Loads(200, "/courier", "You hold the parcels now")

	last = f.CarrierSays(200, `{"tracking_number":"SPONE","status":"dispatched"}`)
	b.Posts("/courier/SPONE", "/courier#SPONE", "stage", "dispatched")
	if r, body := last(); r.Method != http.MethodPost || r.URL.Path != "/carrier/parcels/SPONE/stages" || body != `{"stage":"dispatched"}` {
		t.Errorf("%s %s %s", r.Method, r.URL, body)
	}
	f.CarrierSays(200, apptest.OnTheWay)
	b.Loads(200, "/courier", "The parcel SPONE is on its way.")

	f.Answer("simulator", apptest.Refuses(409, `{"type":"about:blank","status":409,"detail":"a parcel that is delivered cannot become failed"}`))
	b.Posts("/courier/SPONE", "/courier#SPONE", "stage", "failed")
	f.CarrierSays(200, apptest.OnTheWay)
	b.Loads(200, "/courier", "has gone on meanwhile")
}

func TestTheCouriersPageOutlivesTheCarrier(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("simulator", apptest.Says(503, `{}`))
	f.As("carl").Loads(200, "/courier", "Where the parcels are is", "not known", `data-every="3"`)
}

func TestOnlyTheCourierMovesParcels(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.CarrierSays(200, apptest.OnTheWay)
	for _, who := range []string{"alice", "olga"} {
		b := f.As(who)
		b.Loads(403, "/courier", "This is not for you")
		for _, path := range []string{"/courier/hands", "/courier/SPONE"} {
			if answer, _ := b.Send(http.MethodPost, path, url.Values{"stage": {"failed"}}); answer.StatusCode != http.StatusForbidden {
				t.Errorf("%s at %s: %s", who, path, answer.Status)
			}
		}
	}
	f.Stranger().Posts("/courier/SPONE", "/sign-in?next=%2F", "stage", "failed")
	if answer, _ := f.Get("/api/parcels", "Authorization", f.Bearer("operations")); answer.StatusCode != http.StatusForbidden {
		t.Errorf("the API, for an operator: %s", answer.Status)
	}
	if r := f.Asked("simulator"); r != nil {
		t.Errorf("the carrier was asked for %s", r.URL)
	}
	carl := f.As("carl")
	for _, path := range []string{"/orders", "/orders/o-1", "/checkout", "/operations", "/operations/stock"} {
		carl.Loads(403, path, "This is not for you")
	}
}

func TestTheAPIOfTheCourier(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	token := []string{"Authorization", f.Bearer("parcels"), "Content-Type", "application/json"}
	last := f.CarrierSays(200, apptest.OnTheWay)
	answer, body := f.Get("/api/parcels?limit=2", token...)
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
	if answer, body := f.Get("/api/parcels?limit=2&cursor="+list.Next, token...); answer.StatusCode != 200 {
		t.Errorf("%s %s", answer.Status, body)
	}
	if r, _ := last(); r.URL.RawQuery != "before=7&limit=2" {
		t.Errorf("asked for %s", r.URL)
	}
	for _, path := range []string{"/api/parcels?limit=101", "/api/parcels?cursor=x", "/api/parcels?q=x"} {
		if answer, body := f.Get(path, token...); answer.StatusCode != 400 {
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
		f.CarrierSays(200, `{"holding":true,"until":"2026-11-29T12:10:00Z","tracking_number":"SPONE"}`)
		if answer, body := f.Request(test.method, test.path, test.body, token...); answer.StatusCode != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s %s: %s %s", test.method, test.path, answer.Status, body)
		}
	}
	for theirs, ours := range map[int]int{404: 404, 409: 409, 422: 422, 400: 400, 503: 503} {
		f.Answer("simulator", apptest.Refuses(theirs, `{"detail":"not now"}`))
		answer, body := f.Request("POST", "/api/parcels/SPONE/stages", `{"stage":"failed"}`, token...)
		if answer.StatusCode != ours || ours < 500 && !strings.Contains(body, "not now") {
			t.Errorf("the carrier answers %d: %s %s", theirs, answer.Status, body)
		}
	}
}

func TestWithoutAWorldOfTheDemoThereIsNoCourier(t *testing.T) {
	t.Parallel()
	for _, without := range []string{"SIMULATOR_URL", "DEMO_SECRET"} {
		f := apptest.NewWithout(t, without)
		f.As("carl").Loads(404, "/courier")
		if answer, _ := f.Get("/api/parcels", "Authorization", f.Bearer("parcels")); answer.StatusCode != http.StatusNotFound {
			t.Errorf("without %s: %s", without, answer.Status)
		}
		if slices.ContainsFunc(f.App.Site.People, func(p site.Person) bool { return p.ID == "carl" }) {
			t.Errorf("without %s there is Carl", without)
		}
	}
}
