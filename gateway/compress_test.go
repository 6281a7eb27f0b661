package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/local/direct"
)

// unzipped returns the body of an answer, decompressed if necessary.
func (g gotten) unzipped(t *testing.T) string {
	t.Helper()
	if g.Header.Get("Content-Encoding") == "" {
		return g.body
	}
	z, err := gzip.NewReader(strings.NewReader(g.body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func tagged(media, tag, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Type", media)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, body)
	}
}

func TestWorthwhileAnswersAreCompressedForClientsThatWantIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	list := `{"items":[` + strings.Repeat(`{"sku":"MUG-BLUE","name":"Blue mug"},`, 500) + `{}]}`
	f.behind["orders"].answers(says(200, "application/json; charset=UTF-8", list))
	token := f.bearer("alice", "orders")
	for accept, zips := range map[string]bool{
		"gzip": true, "GZIP": true, "gzip, deflate, br, zstd": true, "br;q=1.0, gzip;q=0.8, *;q=0.1": true, "*": true, "x-gzip": true, "identity;q=0.5, gzip": true,
		"": false, "identity": false, "gzip;q=0": false, "gzip;q=0, *": false, "br, zstd": false, "*;q=0": false, "gzip;q=0.5, identity": false, "gzip;q=x": false,
	} {
		a := f.call("GET", "/api/orders", "", "Authorization", token, "Accept-Encoding", accept)
		if got := a.Header.Get("Content-Encoding") == "gzip"; got != zips || a.unzipped(t) != list || zips && len(a.body) > len(list)/10 {
			t.Errorf("%q: %v, %d bytes", accept, a.Header, len(a.body))
		}
		if a.Header.Get("Vary") != "Accept-Encoding" || zips && a.Header.Get("Content-Length") == strconv.Itoa(len(list)) {
			t.Errorf("%q: %v", accept, a.Header)
		}
	}
}

func TestOtherAnswersAreNotCompressed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	long := strings.Repeat("x", 5000)
	for name, answers := range map[string]http.HandlerFunc{
		"short":              says(200, "text/html", "short"),
		"a picture":          says(200, "image/png", long),
		"of an unknown kind": says(200, "", long),
		"compressed already": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			says(200, "text/html", long)(w, nil)
		},
		"not to be changed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "no-transform")
			says(200, "text/html", long)(w, nil)
		},
		"a part": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-4999/9000")
			says(206, "text/html", long)(w, nil)
		},
	} {
		f.behind["bff"].answers(answers)
		a := f.call("GET", "/cart", "", "Accept-Encoding", "gzip")
		if a.Header.Get("Content-Encoding") == "gzip" || a.body != long && a.body != "short" {
			t.Errorf("%s: %v", name, a.Header)
		}
	}
	a := f.call("POST", "/oauth/token", form("grant_type", "client_credentials", "client_id", "alice", "client_secret", "demo"), "Content-Type", formType, "Accept-Encoding", "gzip")
	if a.StatusCode != 200 || a.Header.Get("Content-Encoding") != "" {
		t.Errorf("a token: %s %v", a.Status, a.Header)
	}
}

func TestARepresentationHasATagOfItsOwn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	body := strings.Repeat("<p>page</p>", 500)
	token := f.bearer("olga", "orders", "operations")
	for path, to := range map[string]string{"/cart": "bff", "/api/orders/1": "orders"} {
		f.behind[to].answers(tagged("text/html", `"v1"`, body))
		for _, test := range []struct {
			encoding, known string
			status          int
			tag             string
		}{
			{"identity", "", 200, `"v1"`},
			{"gzip", "", 200, `"v1-gzip"`},
			{"gzip", `"v1-gzip"`, 304, `"v1-gzip"`},
			{"gzip", `W/"v1-gzip"`, 200, `"v1-gzip"`}, // this upstream does not ignore W/ in comparisons
			{"gzip", `"v1"`, 304, `"v1"`},
			{"identity", `"v1"`, 304, `"v1"`},
			{"identity", `"v1-gzip"`, 200, `"v1"`}, // the client has a copy in gzip and does not want gzip
			{"gzip", `"v0-gzip"`, 200, `"v1-gzip"`},
		} {
			headers := []string{"Accept-Encoding", test.encoding, "Authorization", token}
			if test.known != "" {
				headers = append(headers, "If-None-Match", test.known)
			}
			a := f.call("GET", path, "", headers...)
			if a.StatusCode != test.status || a.Header.Get("ETag") != test.tag || a.Header.Get("Vary") != "Accept-Encoding" || test.status == 200 && a.unzipped(t) != body {
				t.Errorf("%s in %s with %s: %s, %v", path, test.encoding, test.known, a.Status, a.Header)
			}
		}
	}
	f.behind["bff"].answers(tagged("text/html", `W/"v1"`, body))
	if a := f.call("GET", "/cart", "", "Accept-Encoding", "gzip"); a.Header.Get("ETag") != `W/"v1"` || a.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("a weak tag: %v", a.Header)
	}
	for sent, seen := range map[string]string{`"v1-gzip"`: `"v1"`, `"v0", "v1-gzip"`: `"v0", "v1"`, "*": "*", `W/"v1-gzip"`: `W/"v1"`} {
		f.call("PUT", "/api/products/PEN", "{}", "Authorization", token, "If-Match", sent)
		if got := f.behind["inventory"].last().Header.Get("If-Match"); got != seen {
			t.Errorf("If-Match %s became %s", sent, got)
		}
	}
}

func TestHEADHasTheHeaderOfGET(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, length := range []int{1500, 9000} { // net/http sets Content-Length only for the shorter one
		s.behind["bff"].answers(tagged("text/html", `"v1"`, strings.Repeat("x", length)))
		s.behind["inventory"].answers(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=10")
			tagged("application/json", `"v1"`, strings.Repeat("x", length))(w, r)
		})
		for _, path := range []string{"/cart", "/api/products/A" + strconv.Itoa(length), "/api/products?q=1"} {
			for _, encoding := range []string{"gzip", "identity"} {
				get := s.call("GET", path, "", "Accept-Encoding", encoding)
				head := s.call("HEAD", path, "", "Accept-Encoding", encoding)
				for _, name := range []string{"ETag", "Content-Encoding", "Vary", "Content-Type", "Cache-Control"} {
					if get.Header.Get(name) != head.Header.Get(name) {
						t.Errorf("%s in %s: %s is %q, for GET %q", path, encoding, name, head.Header.Get(name), get.Header.Get(name))
					}
				}
				if l := head.Header.Get("Content-Length"); head.StatusCode != 200 || head.body != "" || l != "" && l != strconv.Itoa(len(get.body)) {
					t.Errorf("%s in %s: %s, %q, length %s of %d", path, encoding, head.Status, head.body, l, len(get.body))
				}
			}
		}
	}
}

func TestTheCacheKeepsOneCopyForAllEncodings(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	body := strings.Repeat(`{"sku":"PEN"}`, 500)
	s.behind["inventory"].answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=10")
		tagged("application/json", `"v1"`, body)(w, r)
	})
	for i, test := range []struct {
		encoding, known string
		status          int
		tag             string
	}{
		{"identity", "", 200, `"v1"`},
		{"gzip", "", 200, `"v1-gzip"`},
		{"gzip", "", 200, `"v1-gzip"`},
		{"identity", "", 200, `"v1"`},
		{"gzip", `"v1-gzip"`, 304, `"v1-gzip"`},
		{"gzip", `"v0", W/"v1-gzip"`, 304, `"v1-gzip"`},
		{"gzip", `"v1"`, 304, `"v1"`},
		{"identity", `"v1-gzip"`, 200, `"v1"`},
	} {
		headers := []string{"Accept-Encoding", test.encoding}
		if test.known != "" {
			headers = append(headers, "If-None-Match", test.known)
		}
		a := s.call("GET", "/api/products", "", headers...)
		if a.StatusCode != test.status || a.Header.Get("ETag") != test.tag || !strings.Contains(a.Header.Get("Vary"), "Accept-Encoding") || test.status == 200 && a.unzipped(t) != body ||
			(a.Header.Get("Content-Encoding") == "gzip") != (test.status == 200 && test.encoding == "gzip") {
			t.Errorf("%d, %s with %s: %s %v", i, test.encoding, test.known, a.Status, a.Header)
		}
	}
	s.later(11 * time.Second) // revalidated with the tag that inventory gave it
	if a := s.call("GET", "/api/products", "", "Accept-Encoding", "gzip"); a.unzipped(t) != body || !strings.Contains(a.Header.Get("Cache-Status"), "fwd-status=304") {
		t.Errorf("%s %v", a.Status, a.Header)
	}
	if n := s.behind["inventory"].requests(); n != 2 {
		t.Errorf("inventory was asked %d times", n)
	}
}

func TestACompressedAnswerThatBreaksOffIsIncompleteForTheClient(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.behind["bff"].answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, strings.Repeat("x", 50_000))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	r, err := http.NewRequestWithContext(t.Context(), "GET", f.url+"/cart", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	answer, err := direct.Transport.RoundTrip(r)
	if err != nil {
		return // it broke off before the header was sent
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("%d bytes came and then an end as it should be", len(body))
	}
}

// BenchmarkZip measures the time to compress a list of 60 kB, and the size of the result.
func BenchmarkZip(b *testing.B) {
	var list bytes.Buffer
	for i := range 300 {
		_, _ = list.WriteString(`{"id":"0193` + strconv.Itoa(i*7919) + `-7c3e","status":"delivered","total":{"amount":` + strconv.Itoa(i*101%9973) + `,"currency":"EUR"},"lines":[{"sku":"MUG-BLUE","quantity":2}],"created_at":"2026-11-0` + strconv.Itoa(i%9+1) + `T10:00:00Z"},`)
	}
	b.SetBytes(int64(list.Len()))
	for b.Loop() {
		zipped(list.Bytes())
	}
	b.ReportMetric(float64(len(zipped(list.Bytes())))/float64(list.Len())*100, "%left")
}
