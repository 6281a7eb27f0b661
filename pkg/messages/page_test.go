package messages_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/api/asyncapi"
)

var update = flag.Bool("update", false, "write the tables of docs/messages.md instead of comparing them")

const (
	page     = "../../docs/messages.md"
	tableEnd = "<!-- end of the table -->\n"
)

func TestThePageOfMessagesShowsTheDocument(t *testing.T) {
	t.Parallel()
	before, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	d, want := document(t), string(before)
	for name, table := range map[string]string{"messages": messagesTable(d), "envelope": envelopeTable(d), "exchanges and queues": channelsTable(d)} {
		begin := fmt.Sprintf("<!-- the %s, written from api/asyncapi.yaml by a test: do not edit -->\n", name)
		head, rest, ok := strings.Cut(want, begin)
		_, tail, ok2 := strings.Cut(rest, tableEnd)
		if !ok || !ok2 {
			t.Fatalf("docs/messages.md has no place for the %s", name)
		}
		want = head + begin + "\n" + table + "\n" + tableEnd + tail
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(before) != want {
		t.Error("docs/messages.md differs from api/asyncapi.yaml: go test ./pkg/messages -run PageOfMessages -update")
	}
}

func messagesTable(d *asyncapi.Document) string {
	var b strings.Builder
	b.WriteString("| kind | is a | sent by | meaning |\n| --- | --- | --- | --- |\n")
	for _, kind := range d.Kinds() {
		sender := "–"
		for _, application := range d.Applications() {
			if slices.Contains(d.Sent(application), kind) {
				sender = application
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", kind, d.Type(kind), sender, cell(d.Components.Messages.Get(kind).Summary))
	}
	return b.String()
}

func envelopeTable(d *asyncapi.Document) string {
	each, redelivered := d.Headers()
	var b strings.Builder
	b.WriteString("| header | property | what |\n| --- | --- | --- |\n")
	for _, h := range slices.Concat(each, redelivered) {
		property := ""
		if h.Value.Property != "" {
			property = "`" + h.Value.Property + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", h.Key, property, h.Value.Description)
	}
	return b.String()
}

// channelsTable has a row for each sort of exchange and queue. The names of services are written as <service>.
func channelsTable(d *asyncapi.Document) string {
	names := map[string][]string{}
	for _, c := range d.Channels {
		name := c.Value.Name()
		tag := c.Value.Tags[0].Name()
		if owner, rest, _ := strings.Cut(name, "."); tag == "serviceQueue" && slices.Contains(d.Applications(), owner) {
			name = "{service}." + rest
		}
		if name = "`" + strings.NewReplacer("{", "<", "}", ">").Replace(name) + "`"; !slices.Contains(names[tag], name) {
			names[tag] = append(names[tag], name)
		}
	}
	var b strings.Builder
	b.WriteString("| name | is |\n| --- | --- |\n")
	for _, tag := range d.Components.Tags {
		if len(names[tag.Key]) > 0 {
			fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(names[tag.Key], ", "), tag.Value.Description)
		}
	}
	return b.String()
}

// cell returns a sentence as the tables of the page have it: in lower case, unless it begins with a word in capitals, and
// without a full stop at its end.
func cell(sentence string) string {
	sentence = strings.TrimSuffix(sentence, ".")
	return strings.ToLower(sentence[:1]) + sentence[1:]
}
