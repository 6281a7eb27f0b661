package containers

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/shop"
)

const budget = 1.5 * (1 << 30) // of memory, for the whole system

// All subtests share one start, which builds images and starts a dozen containers.
func TestTheSystemInContainers(t *testing.T) {
	s := up(t)
	for line := range strings.Lines(s.said) {
		if strings.Contains(strings.ToLower(line), "warn") {
			t.Errorf("up complains: %s", line)
		}
	}
	for _, part := range []struct {
		name string
		run  func(*stack)
	}{
		{"containers may do no more than they need", containersAreConfined},
		{"images hold programs and no secrets", imagesAreClean},
		{"stories", func(s *stack) { stories.Run(s.T, s.World) }},
		{"requests are spread over all replicas, and none fails when replicas go", replicasShare},
		{"nothing is lost or charged twice whichever container is killed", killEach},
		{"a container that ends by itself comes back by itself", comesBack},
		{"orders outlive their containers", ordersOutlive},
	} {
		t.Run(part.name, func(t *testing.T) {
			inPart := *s
			inPart.T = t
			part.run(&inPart)
		})
	}
}

func containersAreConfined(s *stack) {
	published, limits := []string{}, int64(0)
	for _, c := range s.containers() {
		for port, bindings := range c.NetworkSettings.Ports {
			for _, b := range bindings {
				published = append(published, fmt.Sprintf("%s %s %s", c.service(), port, b.HostIP))
			}
		}
		limits += c.HostConfig.Memory
		if c.Config.User == "" || c.Config.User == "root" || strings.HasPrefix(c.Config.User, "0") {
			s.Errorf("%s runs as %q", c.service(), c.Config.User)
		}
		if !c.HostConfig.ReadonlyRootfs || c.HostConfig.Memory == 0 ||
			!slices.Equal(c.HostConfig.CapDrop, []string{"ALL"}) || !slices.Contains(c.HostConfig.SecurityOpt, "no-new-privileges:true") {
			s.Errorf("%s is not confined: %+v", c.service(), c.HostConfig)
		}
		if restart := c.HostConfig.RestartPolicy.Name; restart != "unless-stopped" && c.service() != "provision" {
			s.Errorf("%s is restarted %q", c.service(), restart)
		}
	}
	if limits > budget {
		s.Errorf("all limits together are %d MiB", limits>>20)
	}
	slices.Sort(published)
	want := []string{
		"gateway 8080/tcp 0.0.0.0",
		"rabbitmq 15672/tcp 127.0.0.1",
		"simulator 8080/tcp 127.0.0.1", // from the tests' own compose file
	}
	published = slices.DeleteFunc(published, func(p string) bool { return p == "gateway 8080/tcp ::" }) // with IPv6
	if !slices.Equal(published, want) {
		s.Errorf("published are\n%s\nwant\n%s", strings.Join(published, "\n"), strings.Join(want, "\n"))
	}
}

func imagesAreClean(s *stack) {
	for _, c := range s.containers() {
		if !c.ours() {
			continue
		}
		history, _ := s.docker("history", "--no-trunc", c.Image)
		config := s.image(c, "{{json .Config}}")
		for name, secret := range s.secrets {
			if strings.Contains(history+config, secret) {
				s.Errorf("%s is in the image of %s", name, c.service())
			}
		}
		if env := s.image(c, "{{json .Config.Env}}"); strings.Contains(env, "PASSWORD") || strings.Contains(env, "KEY") || strings.Contains(env, "URL") {
			s.Errorf("the image of %s has settings: %s", c.service(), env)
		}
		if version := s.image(c, `{{index .Config.Labels "org.opencontainers.image.version"}}`); version != s.version {
			s.Errorf("the image of %s tells the version %q", c.service(), version)
		}
		if size, err := strconv.Atoi(s.image(c, "{{.Size}}")); err != nil || size > 30e6 {
			s.Errorf("the image of %s has %d bytes", c.service(), size)
		}
	}
	if log := s.compose("logs", "--no-color", "orders"); !strings.Contains(log, `"version":"`+s.version+`"`) {
		s.Error("orders does not tell its version at its start")
	}
}

func replicasShare(s *stack) {
	c := stories.New(s, s.World)
	read := func() bool {
		a, err := c.Call("alice", http.MethodGet, "/api/orders", "")
		if err != nil || a.Status != http.StatusOK {
			s.Errorf("read orders: %d %s %v", a.Status, a.Body, err)
		}
		return err == nil && a.Status == http.StatusOK
	}
	scale := func(n int) {
		s.Helper()
		s.compose("up", "--wait", "--no-recreate", "--scale", fmt.Sprint("orders=", n))
		if replicas := len(s.containers("orders")); replicas != n {
			s.Fatalf("there are %d replicas, want %d", replicas, n)
		}
	}
	scale(3)
	stories.Until(s, "a burst of requests is shared by three replicas", func() bool {
		before := served(s)
		for range 60 {
			if !read() {
				return true // it has been reported
			}
		}
		after, least := served(s), 60
		for replica := range after {
			least = min(least, after[replica]-before[replica])
		}
		return least >= 5
	})

	// Two of them stop while a shopper reads. The shopper notices nothing: an unsent request goes to another replica.
	var reading sync.WaitGroup
	gone := make(chan struct{})
	reading.Go(func() {
		for going := true; going && read(); {
			select {
			case <-gone:
				going = false
			default:
			}
		}
	})
	defer reading.Wait()
	defer close(gone)
	scale(1)
}

// served counts the requests of each replica of orders, from its log.
func served(s *stack) map[string]int {
	s.Helper()
	counts := map[string]int{}
	for _, replica := range s.containers("orders") {
		log, err := s.command(s.Context(), "logs", replica.ID).CombinedOutput()
		if err != nil {
			s.Fatal(err)
		}
		counts[replica.ID] = strings.Count(string(log), `"msg":"request"`)
	}
	return counts
}

// everything has the servers last, because the programs do little without them.
var everything = slices.Concat([]string{"gateway", "bff-web"}, servers.Services(), []string{"simulator", "rabbitmq", "postgres"})

func killEach(s *stack) {
	load := stories.New(s, s.World).StartLoad()
	stop := s.watchMemory()
	for _, service := range everything {
		s.compose("kill", "--signal", "KILL", service)
		time.Sleep(300 * time.Millisecond) // away for a moment, with orders coming in
		s.compose("start", service)
		s.healthy(service)
	}
	if n := load.Finish(); n < 50 {
		s.Errorf("only %d orders were accepted: that is no load", n)
	}
	most, each := stop()
	s.Logf("at most %.0f MiB:%s", most/(1<<20), each)
	if most == 0 || most > budget {
		s.Errorf("all containers together have used %.0f MiB", most/(1<<20))
	}
	for _, c := range s.containers() {
		if c.State.OOMKilled {
			s.Errorf("%s was killed for want of memory", c.service())
		}
	}
}

// PostgreSQL stands for all: the other services have the same restart policy, but no shell to end them from within.
func comesBack(s *stack) {
	before := s.containers("postgres")[0].RestartCount
	s.compose("exec", "--no-TTY", "postgres", "sh", "-c", "kill -QUIT 1")
	stories.Until(s, "it was started again", func() bool { return s.containers("postgres")[0].RestartCount == before+1 })
	s.healthy("postgres")
}

func ordersOutlive(s *stack) {
	c := stories.New(s, s.World)
	id := c.Place(stories.Wish{SKU: c.Product(5, 0, 0)})
	before := c.End(id)
	s.compose("down")
	s.compose("up", "--wait")
	after := c.Track(id) // with the token that was issued before
	if after.Status != "delivered" || len(after.Timeline) != len(before.Timeline) {
		s.Errorf("%s with %d entries before, %s with %d after", before.Status, len(before.Timeline), after.Status, len(after.Timeline))
	}
	c.Settle(map[string]shop.Tracking{id: after}) // the provider's ledger has been kept as well
	if next := c.End(c.Place(stories.Wish{SKU: c.Product(5, 0, 0)})); next.Status != "delivered" {
		s.Errorf("the next order ended %s (%s)", next.Status, next.Reason)
	}
}
