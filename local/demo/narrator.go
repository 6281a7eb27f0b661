package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"example.com/orderflow/local/shop"
)

// Narrator writes the story, to a terminal or to a file.
type Narrator struct {
	mu     sync.Mutex // several orders report at once
	out    io.Writer
	styled bool

	example string // a product that can be ordered
}

// NewNarrator writes to a file, in colours if it is a terminal and NO_COLOR is not set (https://no-color.org).
func NewNarrator(out *os.File) *Narrator {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &Narrator{out: out, styled: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// Write lets other code print between the lines of the story.
func (n *Narrator) Write(text []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.out.Write(text)
}

// Say prints one line.
func (n *Narrator) Say(format string, args ...any) { fmt.Fprintf(n, format+"\n", args...) }

// heading is a line that is easy to find.
func (n *Narrator) heading(text string) {
	n.Say("\n%s", n.style("1", text))
}

// style adds a terminal attribute or colour to text, if the output is a terminal.
func (n *Narrator) style(code, text string) string {
	if !n.styled {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (n *Narrator) catalogue(products []shop.Product) {
	n.heading("What the shop has (GET /api/products, and GET /api/stock as olga)")
	n.table(func(row func(...any)) {
		row("sku", "name", "price", "available", "reordered at", "by")
		for _, p := range products {
			at, by := fmt.Sprint(p.ReorderPoint), fmt.Sprint(p.ReorderQuantity)
			if p.ReorderQuantity == 0 {
				at, by = "never", ""
			}
			row(p.SKU, p.Name, p.Price, p.Available, at, by)
		}
	})
}

func (n *Narrator) opening(story []chapter, catalogue []shop.Product) {
	n.example = story[0].sku
	names := make(map[string]string)
	for _, p := range catalogue {
		names[p.SKU] = p.Name
	}
	n.heading(fmt.Sprintf("Alice places %d orders (POST /api/orders)", len(story)))
	n.table(func(row func(...any)) {
		for _, c := range story {
			row(n.label(c), fmt.Sprintf("%d x %s", c.quantity, names[c.sku]), c.explain)
		}
	})
	n.heading("What becomes of them (GET /api/orders/{id}/tracking), in seconds since each was placed")
}

func (n *Narrator) stage(c chapter, at time.Duration, e shop.Entry) {
	n.Say("%7.2f  %s  %-11s  %s", at.Seconds(), n.label(c), e.Status, e.What)
}

func (n *Narrator) request(c chapter, at time.Duration, answer string) {
	n.Say("%7.2f  %s  %-11s  %s", at.Seconds(), n.label(c), "", "Alice asks to cancel: "+answer)
}

// label is a chapter's title in a column, with a colour for each chapter.
func (n *Narrator) label(c chapter) string {
	var sum int
	for _, r := range c.title {
		sum += int(r)
	}
	return n.style(fmt.Sprint(32+sum%5), fmt.Sprintf("%-13s", c.title))
}

func (n *Narrator) closing(results []result) {
	n.heading("How they ended")
	n.table(func(row func(...any)) {
		row(n.label(chapter{}), "order", "status", "reason", "payment", "after", "")
		for _, r := range results {
			verdict := n.style("32", "as it should")
			if r.err != nil || r.got != r.want {
				verdict = n.style("31", "NOT as it should")
			}
			payment := r.got.payment
			if r.amount.Amount > 0 {
				payment += " " + r.amount.String()
			}
			row(n.label(r.chapter), r.orderID, r.got.status, r.got.reason, payment, fmt.Sprintf("%.1f s", r.took.Seconds()), verdict)
		}
	})
}

func (n *Narrator) stock(holdings []holding) {
	n.heading("The stock that they touched")
	n.table(func(row func(...any)) {
		row("", "before", "delivered", "given back", "after")
		for _, h := range holdings {
			row(h.name, h.before, h.taken, h.returned, h.after)
		}
	})
}

// operator shows what olga, the shop's operator, sees of the orders.
func (n *Narrator) operator(ctx context.Context, olga *shop.Client) error {
	attention, err := count(ctx, olga, "/api/operations/attention")
	if err != nil {
		return fmt.Errorf("olga looks for orders that need her: %w", err)
	}
	dead, err := count(ctx, olga, "/api/operations/dead-letters")
	if err != nil {
		return fmt.Errorf("olga looks for dead letters: %w", err)
	}
	n.heading("What olga, the operator, sees")
	n.Say("  %d orders need a person (GET /api/operations/attention)", attention)
	n.Say("  %d messages could not be handled (GET /api/operations/dead-letters)", dead)
	if dead > 0 {
		return fmt.Errorf("%d dead letters, and should be none", dead)
	}
	return nil
}

// count returns the length of one of the operator's lists.
func count(ctx context.Context, olga *shop.Client, path string) (int, error) {
	var list struct {
		Items []any `json:"items"`
	}
	err := olga.Call(ctx, http.MethodGet, path, nil, &list)
	return len(list.Items), err
}

// table writes rows in columns. Colours are no part of a cell's width, so they may only be in cells of equal length.
func (n *Narrator) table(write func(row func(...any))) {
	n.mu.Lock()
	defer n.mu.Unlock()
	aligned := tabwriter.NewWriter(n.out, 0, 0, 2, ' ', 0)
	write(func(cells ...any) {
		texts := make([]string, len(cells))
		for i, cell := range cells {
			texts[i] = fmt.Sprint(cell)
		}
		fmt.Fprintln(aligned, "  "+strings.Join(texts, "\t"))
	})
	_ = aligned.Flush() // as with fmt.Fprint: nothing can be done when the output is closed
}

// Invitation prints what to try next.
func (n *Narrator) Invitation(gateway string) {
	n.heading("Now you: " + gateway)
	n.Say(`  Web pages:   %[1]s/ (alice or olga, secret: demo; each order shows the messages behind it)
  Backstage:   %[1]s/backstage (as olga: all programs, queues and messages in a live picture)
  Scene one:   %[1]s/laboratory (as olga: press “The bank falls silent”, then look at the backstage)

  A token:     TOKEN=$(curl -s %[1]s/oauth/token -d grant_type=client_credentials -d client_id=alice -d client_secret=demo | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  Products:    curl -s %[1]s/api/products
  An order:    curl -si %[1]s/api/orders -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: $(date +%%s)" -H 'Content-Type: application/json' \
                 -d '{"lines":[{"sku":"%[2]s","quantity":1}],"payment_method":"tok_visa","shipping_address":{"name":"Alice","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"}}'
  Where is it: curl -s %[1]s/api/orders/ID/tracking -H "Authorization: Bearer $TOKEN"
  Live:        curl -sN %[1]s/api/orders/ID/tracking -H "Authorization: Bearer $TOKEN" -H 'Accept: text/event-stream'
  Cancel it:   curl -si -X POST %[1]s/api/orders/ID/cancellation -H "Authorization: Bearer $TOKEN"

  tok_declined, tok_flaky and tok_timeout are cards with trouble; postal code 00000 cannot be delivered to.`, gateway, cmp.Or(n.example, "SKU"))
}
