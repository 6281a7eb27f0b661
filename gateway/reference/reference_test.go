package reference

import (
	"bytes"
	"html"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"example.com/orderflow/api"
	"go.yaml.in/yaml/v3"
)

var people = []Person{{"alice", []string{"orders"}}, {"olga", []string{"orders", "operations"}}}

func everything(string) bool { return true }

func sample(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// page is a page of the sample, in which all white space is one space.
func page(t *testing.T, path string, people []Person) string {
	t.Helper()
	files, err := Files(sample(t), people, everything)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Path == path {
			return strings.Join(strings.Fields(string(f.Body)), " ")
		}
	}
	t.Fatalf("there is nothing at %s", path)
	return ""
}

var tags = regexp.MustCompile(`<[^>]*>`)

func TestThePageShowsTheDocument(t *testing.T) {
	t.Parallel()
	code := page(t, "/docs/api", people)
	text := strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(code, " "))), " ")
	for what, want := range map[string]string{
		"a route with its summary":            "POST /api/orders Place an order",
		"its description, in Markdown":        "202 says that it is accepted.",
		"a scope":                             "Needs a token with the scope orders .",
		"a scope of its own":                  "Needs a token with the scope operations .",
		"a public route":                      "No token is needed.",
		"a parameter by reference":            "Idempotency-Key header string required A new one for each order. 1 to 100 characters",
		"a parameter of the whole path":       "id path string (uuid) required",
		"values and the default":              "one of sku, name; default sku",
		"members of the items of a list":      "lines[].quantity integer required 1 to 10000",
		"members of a body with a name":       "application/json Wish lines list of object required",
		"a pattern":                           "lines[].sku string The product. pattern ^[A-Z]+$",
		"limits of a list":                    "lines list of object required 1 to 100 items",
		"a type that may be null":             "payment_method string or null",
		"alternatives":                        "card Product or string",
		"a description beside a reference":    "product Product What was ordered.",
		"members with any name":               "labels.* string at most 9 characters",
		"an answer by reference":              "422 Unprocessable Entity Wrong fields.",
		"the parts of a combined schema":      "labels.* string at most 9 characters errors",
		"members of an answer without name":   "timeline[].at string (date-time)",
		"headers of an answer":                "Location string Where the order is.",
		"a deprecated route":                  "GET /api/orders/{id}/tracking deprecated Follow an order",
		"routes without a tag of their own":   "Other routes PUT /api/products",
		"a tag that the document only names":  "Tokens POST /oauth/token",
		"an example, in the document's order": "{ \"lines\": [ { \"sku\": \"MUG-BLUE\", \"quantity\": 1 } ], \"payment_method\"",
		"a stream as it is":                   "Example event: status data: {}",
		"the problems":                        "total-changed 409",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: %q is not there", what, want)
		}
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(code, -1) {
		if !strings.Contains(code, `id="`+link[1]+`"`) {
			t.Errorf("a link leads to %s, which is not there", link[1])
		}
	}
	for _, bad := range []string{"Nothing</h2>", "ZgotmplZ", "<script>", " style="} {
		if strings.Contains(code, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
}

func TestARequestIsTriedAsSomebodyOnlyWhereThereAreSuchPeople(t *testing.T) {
	t.Parallel()
	demo, other := page(t, "/docs/api", people), page(t, "/docs/api", nil)
	for _, want := range []string{`<option selected>olga</option>`, `<option selected>alice</option>`, "alice=$(token alice)", `name="secret"`} {
		if !strings.Contains(demo, want) {
			t.Errorf("the demo's page lacks %q", want)
		}
		if strings.Contains(other, want) {
			t.Errorf("without a demo the page has %q", want)
		}
	}
	if !strings.Contains(other, `<label class="token">Bearer token <input name="token"`) {
		t.Error("without a demo nobody can give a token")
	}
}

// The commands are read by a shell, which must see the arguments that are meant.
func TestCommandsMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	var d document
	if err := yaml.Unmarshal(sample(t), &d); err != nil {
		t.Fatal(err)
	}
	b := builder{resolver: resolver{document: &d}, people: people}
	got := map[string]string{}
	for _, g := range b.view().Groups {
		for _, r := range g.Routes {
			script := "api=http://shop alice=tokenA olga=tokenO; date() { echo 7; }; curl() { for a; do printf '[%s]' \"$a\"; done; }; " + r.Curl
			out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v", r.Curl, err)
			}
			got[r.Method+" "+r.Path] = strings.Join(strings.Fields(string(out)), "")
		}
	}
	for route, want := range map[string]string{
		"POST /oauth/token": "[-i][http://shop/oauth/token][-d][grant_type=client_credentials&client_id=alice]",
		"POST /api/orders": "[-i][http://shop/api/orders][-H][Authorization:BearertokenA][-H][Idempotency-Key:7][-H][Content-Type:application/json]" +
			`[-d][{"lines":[{"sku":"MUG-BLUE","quantity":1}],"payment_method":"tok_visa","shipping_address":{"name":"O'Hara"}}]`,
		"GET /api/orders/{id}/tracking": "[-i][http://shop/api/orders/019a/tracking][-H][Authorization:BearertokenA]",
		"GET /api/products":             "[-i][http://shop/api/products?limit=5]",
		"PUT /api/products":             "[-i][-X][PUT][http://shop/api/products][-H][Authorization:BearertokenO]",
	} {
		if got[route] != want {
			t.Errorf("%s:\n%s, want\n%s", route, got[route], want)
		}
	}
}

func TestAMistakeInTheDocumentIsToldAtTheStart(t *testing.T) {
	t.Parallel()
	good := sample(t)
	for what, change := range map[string][2]string{
		"a reference that leads nowhere": {`"#/components/parameters/key"`, `"#/components/parameters/lock"`},
		"a reference to another file":    {`"#/components/schemas/Order"`, `"orders.yaml"`},
		"a list where a mapping is":      {"paths:", "paths: [1]\nothers:"},
		"no YAML":                        {"paths:", "paths: ["},
	} {
		bad := bytes.Replace(good, []byte(change[0]), []byte(change[1]), 1)
		if _, err := Files(bad, people, everything); err == nil || bytes.Equal(bad, good) {
			t.Errorf("%s: it is taken", what)
		}
	}
}

func TestThePageLeavesOutWhatIsNotServedHere(t *testing.T) {
	t.Parallel()
	files, err := Files(sample(t), nil, func(path string) bool { return path != "/oauth/token" })
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if text := string(f.Body); f.Path == "/docs/api" && (strings.Contains(text, "/oauth/token") || strings.Contains(text, ">Tokens<") || !strings.Contains(text, "/api/orders")) {
			t.Error("the page has a route that is not served, or lacks one that is")
		}
	}
}

func TestTheDocumentOfTheRepositoryIsRendered(t *testing.T) {
	t.Parallel()
	if _, err := Files(api.OpenAPI, people, everything); err != nil {
		t.Error(err)
	}
}

func BenchmarkFiles(b *testing.B) {
	for b.Loop() {
		if _, err := Files(api.OpenAPI, people, everything); err != nil {
			b.Fatal(err)
		}
	}
}
