// Command check explores one configuration. Its exit code is 0 when all is well, 1 when an invariant is broken, and 2 when it
// exceeds its budget of states.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"example.com/orderflow/e2e/interleavings"
	"example.com/orderflow/e2e/interleavings/testdata/inventory"
	"example.com/orderflow/e2e/interleavings/testdata/orders"
	"example.com/orderflow/e2e/interleavings/testdata/payments"
	"example.com/orderflow/e2e/interleavings/testdata/shipping"
)

func main() {
	count := flag.Int("orders", 1, "how many orders there are, each for one unit")
	units := flag.Int("units", 1, "how many units are in stock")
	toCome := flag.Int("to-come", 0, "how many may be added meanwhile")
	mayWait := flag.Bool("may-wait", false, "whether the orders may wait for new stock")
	whole := flag.Bool("whole", false, "whether states are told apart by what only tracking shows, too")
	provider := flag.Bool("provider-fails", false, "whether calls of the payment provider fail, and payments' workers die")
	carrier := flag.Bool("carrier-fails", false, "whether calls of the carrier fail, and shipping's workers die")
	happy := flag.Bool("happy", false, "whether all cards are good and all parcels arrive")
	patient := flag.Bool("patient", false, "whether no deadline comes and nothing is lost")
	most := flag.Int("most", 3_000_000, "give up after so many states")
	ends := flag.String("ends", "", "how orders end, all ways: delivered,cancelled:expired")
	flag.Parse()

	all := []string{"1", "2"}[:*count]
	m := interleavings.NewModel(all...)
	m.Patient = *patient
	if *ends != "" {
		m.Ends = strings.Split(strings.ReplaceAll(*ends, ":", " "), ",")
	}
	m.Add("inventory", inventory.New(*units, *toCome), all...)
	for _, id := range all {
		m.Add("orders", orders.New(id, *mayWait, *whole, *patient), id)
		m.Add("payments", payments.New(!*provider, *happy), id)
		m.Add("shipping", shipping.New(!*carrier, *happy), id)
	}
	debug.SetGCPercent(400) // there is almost no garbage here
	begin := time.Now()
	r := m.Explore(*most)
	fmt.Printf("%d states (%d without what is under way), %d steps, %d messages, depth %d, %d settled, %s\n",
		r.States, r.Situations, r.Steps, r.Messages, r.Deepest, r.Settled, time.Since(begin).Round(10*time.Millisecond))
	switch {
	case r.Breach != "":
		fmt.Printf("breach: %s\n%s", r.Breach, r.Story)
		os.Exit(1)
	case r.OverBudget:
		fmt.Println("over budget")
		os.Exit(2)
	}
}
