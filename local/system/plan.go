package system

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"example.com/orderflow/local/secret"
	"example.com/orderflow/local/servers"
)

// programs are the names of all programs, in the order in which they stop: the outermost first.
var programs = slices.Concat([]string{"gateway", "bff-web"}, servers.Services(), []string{"simulator"})

// replica is one process of a plan.
type replica struct {
	program string
	number  int // from 1
	port    int
}

func (r replica) name() string { return fmt.Sprintf("%s-%d", r.program, r.number) }

func (r replica) url() string { return fmt.Sprintf("http://127.0.0.1:%d", r.port) }

// plan is the addresses and secrets that programs need.
type plan struct {
	replicas  []replica
	adminPort int               // of the gateway
	databases map[string]string // URL by service
	brokers   map[string]string // URL by program
	identity  string            // the gateway's key
	session   string            // the key of all replicas of the BFF
	data      string            // folder for the simulator's ledger
}

// urls lists the addresses of a program's replicas, in the form that their clients expect.
func (p plan) urls(program string) string {
	var urls []string
	for _, r := range p.replicas {
		if r.program == program {
			urls = append(urls, r.url())
		}
	}
	return strings.Join(urls, ",")
}

// directory lists the addresses of all services' replicas, in the form of the setting SERVICES.
func (p plan) directory() string {
	var entries []string
	for _, r := range p.replicas {
		if slices.Contains(servers.Services(), r.program) {
			entries = append(entries, r.program+"="+r.url())
		}
	}
	return strings.Join(entries, ",")
}

// env is the environment of a replica, without the caller's settings.
func (p plan) env(r replica) []string {
	// There is one simulator, and one gateway that issues tokens.
	simulator, gateway := p.urls("simulator"), p.urls("gateway")
	env := []string{fmt.Sprintf("HTTP_ADDR=127.0.0.1:%d", r.port)}
	if r.program == "gateway" { // people use localhost, which a browser may resolve to ::1
		env = []string{fmt.Sprintf("HTTP_ADDR=localhost:%d", r.port)}
	}
	services := "SERVICES=" + p.directory()
	keys := "JWKS_URL=" + gateway + "/.well-known/jwks.json"
	switch r.program {
	case "gateway":
		return append(env, services,
			"BFF_URL="+p.urls("bff-web"),
			fmt.Sprintf("ADMIN_ADDR=127.0.0.1:%d", p.adminPort),
			"DEMO_IDENTITY=true",
			"IDENTITY_KEY="+p.identity,
		)
	case "bff-web":
		return append(env, services, keys,
			"GATEWAY_URL="+gateway,
			fmt.Sprintf("GATEWAY_ADMIN_URL=http://127.0.0.1:%d", p.adminPort),
			"SESSION_KEY="+p.session,
			"SIMULATOR_URL="+simulator,
			"RABBITMQ_URL="+p.brokers["bff-web"],
			"TAP_RABBITMQ_URL="+p.brokers["tap"],
			"TAP_SHOPPERS=true",
		)
	case "simulator":
		return append(env, "SIMULATOR_DATA="+p.data, "GATEWAY_URL="+gateway)
	default:
		return append(env, keys,
			"DATABASE_URL="+p.databases[r.program],
			"RABBITMQ_URL="+p.brokers[r.program],
			"PROVIDER_URL="+simulator+"/provider",
			"SUPPLIER_URL="+simulator+"/supplier",
			"CARRIER_URL="+simulator+"/carrier",
		)
	}
}

// Each asks for n replicas of every program that can have several.
func Each(n int) map[string]int {
	replicas := map[string]int{"bff-web": n}
	for _, service := range servers.Services() {
		replicas[service] = n
	}
	return replicas
}

// replicasOf counts the requested replicas of a program. The gateway and the simulator always have one.
func replicasOf(program string, wanted map[string]int) int {
	if program == "gateway" || program == "simulator" {
		return 1
	}
	return max(1, wanted[program])
}

// keyFile returns a key of 32 bytes in base64, which it makes once: the gateway signs tokens with one, bff-web seals sessions.
func keyFile(dir, name string) (string, error) {
	return secret.File(filepath.Join(dir, name), func() string {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		return base64.StdEncoding.EncodeToString(key)
	})
}
