package orders

import (
	"strings"
	"testing"
)

func TestTheStagesOfAnOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ path, want string }{
		{"placed", "Placed:now Reserved:todo Paid:todo On its way:todo Delivered:todo"},
		{"placed backordered", "Waiting for stock:now Reserved:todo Paid:todo On its way:todo Delivered:todo"},
		{"placed backordered reserved paid", "Placed:done Reserved:done Paid:now On its way:todo Delivered:todo"},
		{"placed reserved paid shipped delivered", "Placed:done Reserved:done Paid:done On its way:done Delivered:done"},
		{"placed reserved gift_wrapping", "Placed:done Reserved:done gift wrapping:now Paid:todo On its way:todo Delivered:todo"},
		{"placed gift_wrapping reserved", "Placed:done Reserved:now Paid:todo On its way:todo Delivered:todo"},
		{"placed cancelled", "Placed:done Cancelled:stopped"},
		{"placed reserved releasing", "Placed:done Reserved:done Closing the order:stopped"},
		{"placed reserved paid withdrawing refunding releasing cancelled", "Placed:done Reserved:done Paid:done Cancelled:stopped"},
		{"placed reserved paid withdrawing shipped", "Placed:done Reserved:done Paid:done On its way:now Delivered:todo"},
	} {
		var timeline []Entry
		for status := range strings.FieldsSeq(test.path) {
			timeline = append(timeline, Entry{Status: status})
		}
		var got []string
		for _, s := range Stages(timeline[len(timeline)-1].Status, timeline) {
			got = append(got, s.Name+":"+s.State)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s:\n %s, want\n %s", test.path, strings.Join(got, " "), test.want)
		}
	}
}
