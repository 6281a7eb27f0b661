package cluster

import (
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"example.com/orderflow/e2e/chaos"
	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
)

// A primary and its standby under load: the primary is restarted, by a shutdown and by a kill; then it is cut off from the
// standby and dies; then its successor is retired as planned, with all connections open.
func TestNothingIsLostWhicheverServerIsThePrimary(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	network := chaos.NewNetwork()
	t.Cleanup(network.Close)
	d := &databases{network: network, options: map[string]servers.Options{}}
	for _, name := range []string{"a", "b"} {
		port, err := servers.FreePort()
		must(t, err)
		d.options[name] = servers.Options{Dir: filepath.Join(dir, "postgres", name), Port: port, Log: t.Output()}
	}
	var err error
	d.primary, err = servers.StartPostgres(t.Context(), d.options["a"])
	must(t, err)
	t.Cleanup(d.primary.Kill)
	d.follow(t, "b")
	either := servers.EitherOf(d.primary, d.standby)
	d.trial = begin(t, dir, system.Options{Databases: &either})

	d.restart()
	d.failOver()
	d.follow(t, "a") // the old primary's data is thrown away
	d.change()
	d.finish()
}

type databases struct {
	*trial
	network          *chaos.Network
	options          map[string]servers.Options // of both servers, which keep their ports
	primary, standby *servers.Postgres
}

// follow starts a standby of the primary. From then on, commits wait for the standby.
func (d *databases) follow(t *testing.T, name string) {
	t.Helper()
	primary, err := url.Parse(d.primary.URL)
	must(t, err)
	primary.Host, err = d.network.Between("standby "+name, "primary", primary.Host)
	must(t, err)
	d.standby, err = servers.StartStandby(t.Context(), primary.String(), d.options[name])
	must(t, err)
	t.Cleanup(d.standby.Kill)
	must(t, d.primary.RequireStandby(t.Context()))
}

func (d *databases) restart() {
	d.Helper()
	must(d, d.primary.Stop(), d.primary.Start(d.Context()))
	d.delivers("after the primary was restarted")
	d.primary.Kill()
	must(d, d.primary.Start(d.Context()))
	d.delivers("after the primary was killed and started")
}

// failOver lets the primary work for a while without its standby, as may happen before it fails completely.
func (d *databases) failOver() {
	d.Helper()
	must(d, d.network.Break("standby b to primary", chaos.BlackHole))
	time.Sleep(2 * time.Second)
	d.primary.Kill()
	began := time.Now()
	must(d, d.standby.Promote(d.Context()))
	d.primary, d.standby = d.standby, d.primary
	d.Logf("the standby took writes after %.1f s", time.Since(began).Seconds())
	d.delivers("after a failover")
	_, err := d.network.Mend("standby b to primary")
	must(d, err)
}

// change makes the standby the primary, as before an upgrade of the other server.
func (d *databases) change() {
	d.Helper()
	began := time.Now()
	must(d, d.primary.Retire(d.Context()), d.standby.Promote(d.Context()))
	d.Logf("the standby took writes after %.1f s", time.Since(began).Seconds())
	d.delivers("after a planned change")
	if !d.primary.Running() {
		d.Error("the old primary is gone, and did not only refuse to write")
	}
}
