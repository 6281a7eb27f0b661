package system

import (
	"slices"
	"strings"
	"testing"
)

func TestEachProgramGetsTheAddressesOfTheOthers(t *testing.T) {
	t.Parallel()
	p := plan{
		replicas: []replica{
			{"gateway", 1, 8080},
			{"bff-web", 1, 21},
			{"bff-web", 2, 22},
			{"orders", 1, 31},
			{"orders", 2, 32},
			{"payments", 1, 41},
			{"inventory", 1, 51},
			{"shipping", 1, 61},
			{"simulator", 1, 71},
		},
		adminPort: 9080, identity: "key", session: "another", data: "/data/simulator",
		databases: map[string]string{"orders": "postgres://orders", "payments": "postgres://payments"},
		brokers:   map[string]string{"orders": "amqp://orders", "payments": "amqp://payments", "bff-web": "amqp://bff-web", "tap": "amqp://tap"},
	}
	const (
		keys     = "JWKS_URL=http://127.0.0.1:8080/.well-known/jwks.json"
		services = "SERVICES=orders=http://127.0.0.1:31,orders=http://127.0.0.1:32,payments=http://127.0.0.1:41,inventory=http://127.0.0.1:51,shipping=http://127.0.0.1:61"
	)
	for _, test := range []struct {
		of   replica
		want []string
	}{
		{p.replicas[0], []string{
			"HTTP_ADDR=localhost:8080", "ADMIN_ADDR=127.0.0.1:9080", "DEMO_IDENTITY=true", "IDENTITY_KEY=key",
			"BFF_URL=http://127.0.0.1:21,http://127.0.0.1:22", services,
		}},
		{p.replicas[2], []string{
			"HTTP_ADDR=127.0.0.1:22", keys, "GATEWAY_URL=http://127.0.0.1:8080", "GATEWAY_ADMIN_URL=http://127.0.0.1:9080",
			"SESSION_KEY=another", "RABBITMQ_URL=amqp://bff-web", "TAP_RABBITMQ_URL=amqp://tap", "TAP_SHOPPERS=true", "SIMULATOR_URL=http://127.0.0.1:71", services,
		}},
		{p.replicas[4], []string{
			"HTTP_ADDR=127.0.0.1:32", keys, "DATABASE_URL=postgres://orders", "RABBITMQ_URL=amqp://orders",
			"PROVIDER_URL=http://127.0.0.1:71/provider", "SUPPLIER_URL=http://127.0.0.1:71/supplier", "CARRIER_URL=http://127.0.0.1:71/carrier",
		}},
		{p.replicas[8], []string{"HTTP_ADDR=127.0.0.1:71", "SIMULATOR_DATA=/data/simulator", "GATEWAY_URL=http://127.0.0.1:8080"}},
	} {
		got := p.env(test.of)
		slices.Sort(got)
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s is told\n  %s\nwant\n  %s", test.of.name(), strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
		}
	}
}

func TestThereIsOneGatewayAndOneSimulatorAndAtLeastOneOfEachOther(t *testing.T) {
	t.Parallel()
	wanted := map[string]int{"gateway": 3, "simulator": 3, "orders": 3, "payments": 0}
	for program, want := range map[string]int{"gateway": 1, "simulator": 1, "orders": 3, "payments": 1, "shipping": 1} {
		if got := replicasOf(program, wanted); got != want {
			t.Errorf("%d of %s, want %d", got, program, want)
		}
	}
}

func TestANameMeansAReplicaOrAllOfThem(t *testing.T) {
	t.Parallel()
	for part, want := range map[string]string{"orders-2": "orders", "bff-web-1": "bff-web", "bff-web": "bff-web", "postgres": "postgres"} {
		if got := programOf(part); got != want {
			t.Errorf("%s is of %s, want %s", part, got, want)
		}
	}
}
