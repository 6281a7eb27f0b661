package main

import (
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/pkg/messages"
)

// labels are the words that people see for the status of an order, of a payment, and for the stages of a parcel.
var labels = map[string]string{
	"placed": "Placed", "backordered": "Waiting for stock", "reserved": "Reserved", "paid": "Paid", "shipped": "On its way", "delivered": "Delivered",
	"withdrawing": "Calling the parcel back", "refunding": "Undoing the payment", "releasing": "Closing the order", "cancelled": "Cancelled",
	"requested": "Asked for", "taken": "Paid", "declined": "Declined", "refunded": "Refunded", "withdrawn": "Withdrawn",
	"arranged": "Arranged with the carrier", "dispatched": "Handed over", "in_transit": "In transit", "failed": "Could not be delivered",
}

func label(word string) string {
	if l, ok := labels[word]; ok {
		return l
	}
	return strings.ReplaceAll(word, "_", " ")
}

// instant is a time on a page. It is in UTC; the script converts it to the reader's time zone. An exact time has milliseconds,
// for readers who compare it with a log.
type instant struct {
	at    time.Time
	Exact bool
}

// Text returns the time for people, Stamp for machines.
func (i instant) Text() string {
	if i.Exact {
		return i.at.UTC().Format("2 Jan 2006, 15:04:05.000 UTC")
	}
	return i.at.UTC().Format("2 Jan 2006, 15:04:05 UTC")
}

func (i instant) Stamp() string { return i.at.UTC().Format("2006-01-02T15:04:05.000Z") }

func usually(t time.Time) instant { return instant{t, false} }
func exactly(t time.Time) instant { return instant{t, true} }

// short returns the end of an order's id. The beginning is a timestamp that all orders of a minute share.
func short(id string) string { return strings.ToUpper(id[max(0, len(id)-8):]) }

// signs are the currency signs that everybody knows.
var signs = map[string]string{"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}

// money returns an amount as people write it: €1,234.50.
func money(m messages.Money) string {
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
