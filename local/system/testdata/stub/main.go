// Stub replaces each of Orderflow's programs in tests: it is ready at once and shows its environment.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	http.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("GET /env", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Join(os.Environ(), "\n"))
	})
	http.HandleFunc("GET /path", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Args[0]) })
	http.HandleFunc("GET /crash", func(http.ResponseWriter, *http.Request) {
		fmt.Fprintln(os.Stderr, "crashed on request")
		os.Exit(3)
	})
	if os.Getenv("STUB_FAILS") != "" {
		fmt.Fprintln(os.Stderr, "the settings are not right")
		os.Exit(2)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		os.Exit(0)
	}()
	fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Getenv("HTTP_ADDR"), nil))
}
