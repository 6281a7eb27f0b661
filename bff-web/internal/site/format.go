package site

import (
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/pkg/messages"
)

// Clip shortens the name of a product so that it fits into a cookie.
func Clip(name string) string {
	const most = 120
	if letters := []rune(name); len(letters) > most {
		return string(letters[:most-1]) + "…"
	}
	return name
}

// Instant is a time on a page. It is in UTC; the script converts it to the reader's time zone. An exact time has milliseconds,
// for readers who compare it with a log.
type Instant struct {
	at    time.Time
	Exact bool
}

// Text returns the time for people, Stamp for machines.
func (i Instant) Text() string {
	if i.Exact {
		return i.at.UTC().Format("2 Jan 2006, 15:04:05.000 UTC")
	}
	return i.at.UTC().Format("2 Jan 2006, 15:04:05 UTC")
}

// Stamp returns the time for machines.
func (i Instant) Stamp() string { return i.at.UTC().Format("2006-01-02T15:04:05.000Z") }

// At returns a time for a page, with milliseconds if it is exact.
func At(t time.Time, exact bool) Instant { return Instant{t, exact} }

func usually(t time.Time) Instant { return At(t, false) }
func exactly(t time.Time) Instant { return At(t, true) }

// short returns the end of an order's id. The beginning is a timestamp that all orders of a minute share.
func short(id string) string { return strings.ToUpper(id[max(0, len(id)-8):]) }

// signs are the currency signs that everybody knows.
var signs = map[string]string{"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}

// Money returns an amount as people write it: €1,234.50.
func Money(m messages.Money) string {
	places := messages.Decimals(m.Currency)
	text, minus := strings.CutPrefix(strconv.FormatInt(m.Amount, 10), "-")
	text = strings.Repeat("0", max(0, places+1-len(text))) + text
	whole, part := text[:len(text)-places], text[len(text)-places:]
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if part != "" {
		whole += "." + part
	}
	sign, known := signs[m.Currency]
	if !known {
		sign = m.Currency + "\u00a0"
	}
	if minus {
		sign = "−" + sign
	}
	return sign + whole
}
