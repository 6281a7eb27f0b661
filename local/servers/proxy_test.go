package servers

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
)

// Requests to the management API contain passwords. net/http reads the environment once in a process, and uses no proxy for
// names of this machine: so another process sends the request, and to a name that does not exist.
func TestTheManagementAPIIsNotAskedThroughAProxy(t *testing.T) {
	t.Parallel()
	const child = "TEST_BEHIND_A_PROXY"
	if os.Getenv(child) != "" {
		broker := Broker{Management: "http://admin:secret@rabbitmq:15672"}
		if err := broker.CreateVhost(t.Context(), "v"); err == nil {
			t.Error("a server that is not there has answered")
		}
		return
	}
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer proxy.Close()
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	again.Env = append(os.Environ(), child+"=1", "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if said, err := again.CombinedOutput(); err != nil {
		t.Errorf("behind a proxy: %v\n%s", err, said)
	}
	if asked.Load() != 0 {
		t.Error("the proxy has got the request, and the password in it")
	}
}
