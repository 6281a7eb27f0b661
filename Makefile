# Commands for Orderflow on a machine with Go. Once Go has its modules, only lint, vuln and the containers need a network.

# git refuses to work in a checkout that another user owns (a container's mount), and go build calls it.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

# e2e/observability is no part of the workspace: its README says why.
modules = $$(go list -m -f '{{.Dir}}') $(CURDIR)/e2e/observability
programs := gateway bff-web $(wildcard services/*) simulator
orderflow := bin/orderflow

# The race detector needs a C compiler. CI has one; a machine without one still runs all tests.
race := $(shell command -v gcc >/dev/null 2>&1 && echo -race)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(orderflow) ## run the system, place orders that end in every way, and show their course; ONCE=1: then end
	@$(orderflow) install && exec $(orderflow) demo $(if $(ONCE),-once)

.PHONY: up
up: $(orderflow) ## run the system in the background; REPLICAS=3 of each service, GATEWAY_PORT=8080, TRACES=1
	@$(orderflow) install && exec $(orderflow) up

.PHONY: down
down: $(orderflow) ## end the system; its data is kept in .local (ORDERFLOW_DIR)
	@exec $(orderflow) down

.PHONY: status
status: $(orderflow) ## show what runs, and where
	@exec $(orderflow) status

.PHONY: stop
stop: $(orderflow) ## stop a part of the running system: NAME=payments, orders-2, rabbitmq, postgres
	@exec $(orderflow) stop $(NAME)

.PHONY: start
start: $(orderflow) ## start a part again: NAME=payments
	@exec $(orderflow) start $(NAME)

.PHONY: token
token: $(orderflow) ## print a bearer token of the demo: NAME=alice, bob, olga, carl
	@exec $(orderflow) token "$(NAME)"

.PHONY: tap
tap: $(orderflow) ## print each message that passes RabbitMQ; ORDER=<id, or the end of it>
	@exec $(orderflow) tap $(ORDER)

.PHONY: trace
trace: $(orderflow) ## print the trace of an order as a tree: ORDER=<id, or the end of it>; after make up TRACES=1
	@exec $(orderflow) trace $(ORDER)

.PHONY: audit
audit: $(orderflow) ## check that the books of the running system agree: databases, provider, carrier, queues; JSON=1, WAIT=30s
	@exec $(orderflow) audit $(if $(JSON),-json) $(if $(WAIT),-wait $(WAIT))

.PHONY: logs
logs: $(orderflow) ## follow the log of a part: NAME=payments
	@exec $(orderflow) logs -f $(NAME)

.PHONY: test
test: $(orderflow) ## all tests, on a PostgreSQL and a RabbitMQ of their own; TESTFLAGS='-run Name'
	@$(orderflow) install && exec $(orderflow) exec -- go test $(race) -timeout 30m $(TESTFLAGS) work
	@cd e2e/observability && GOWORK=off go test -timeout 30m $(TESTFLAGS) .

DURATION ?= 30m
SEED ?= 7
REPORT ?= $(CURDIR)/docs/chaos.md

.PHONY: chaos
chaos: $(orderflow) ## inject faults of every kind under load, then audit the system; DURATION=30m SEED=7
	@$(orderflow) install && cd e2e && go test -v -count 1 -timeout 0 -run WhateverHappens ./chaos -args \
		-duration $(DURATION) -seed $(SEED) -report "$(REPORT)" $(if $(MUTANT),-mutant $(MUTANT))

.PHONY: mutants
mutants: $(orderflow) ## chaos with mistakes in the programs (e2e/chaos/mutants.go), one at a time, which the audit has to find
	@$(orderflow) install && cd e2e && go test -v -count 1 -timeout 0 -run Mutants ./chaos -args -mutants -report "$(REPORT)"

.PHONY: test-cluster
test-cluster: $(orderflow) ## three RabbitMQ nodes, and PostgreSQL with a standby: killed, cut off and replaced under load
	@$(orderflow) install && cd e2e && TEST_CLUSTER=1 go test -count 1 -timeout 30m $(TESTFLAGS) ./cluster

.PHONY: test-patterns
test-patterns: $(orderflow) ## every command of docs/patterns.md on a system of its own, with an audit after each section; ten minutes
	@$(orderflow) install && cd e2e && TEST_PATTERNS=1 go test -v -count 1 -timeout 30m $(TESTFLAGS) ./patterns

FUZZTIME ?= 60s

.PHONY: fuzz
fuzz: ## all fuzz targets one after another, each for some time, for a run overnight; FUZZTIME=60s
	@for file in $$(grep -rl --include='*_test.go' '^func Fuzz' .); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\)(.*/\1/p' "$$file"); do \
			echo "$${file%/*} $$target"; \
			(cd "$${file%/*}" && go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s .) || failed=1; \
		done; \
	done; test -z "$$failed"

.PHONY: release-contracts
release-contracts: ## at a release: its documents of the API become those that later changes must be compatible with
	@cp api/openapi.yaml api/asyncapi.yaml api/released/

.PHONY: images
images: ## container images of all programs; ORDERFLOW_VERSION=1.2.3
	@ORDERFLOW_REVISION=$$(git rev-parse HEAD 2>/dev/null) docker compose build

.PHONY: test-compose
test-compose: ## test the system in containers, each of which is killed under load; needs Docker
	@cd e2e && TEST_COMPOSE=1 go test -count 1 -timeout 30m $(TESTFLAGS) ./containers

images := $(foreach program,$(notdir $(programs)) provision,orderflow/$(program):dev)

kind-up minikube-up: export ORDERFLOW_VERSION := dev

.PHONY: kind-up
kind-up: images ## run the system on Kubernetes, in a cluster made by kind; http://localhost:8080; OBSERVABILITY=1: with dashboards
	@kind get clusters | grep -qx orderflow || kind create cluster --config k8s/overlays/kind/cluster.yaml
	@kind load docker-image --name orderflow $(images)
	@k8s/apply.sh kind-orderflow $(if $(OBSERVABILITY),kind-observability,kind)
	@echo 'http://localhost:8080'

.PHONY: kind-down
kind-down: ## end the system and delete its data
	@kind delete cluster --name orderflow

.PHONY: minikube-up
minikube-up: images ## the same with minikube, which prints the address; to end it: minikube -p orderflow delete
	@minikube -p orderflow start --cni calico
	@minikube -p orderflow image load $(images)
	@k8s/apply.sh orderflow minikube
	@minikube -p orderflow service gateway --namespace orderflow --url

.PHONY: test-kubernetes
test-kubernetes: ## test the system on kubectl's cluster, which must have the images and nothing else to do
	@cd e2e && TEST_KUBERNETES=1 go test -count 1 -timeout 30m $(TESTFLAGS) ./kubernetes

.PHONY: bench
bench: $(orderflow) ## measure orders a second, latency and cost, on an otherwise idle machine: docs/benchmarks.md; ONLY=saga DURATION=60s SEED=7
	@$(orderflow) install && go build -o bin/bench ./local/cmd/bench && exec bin/bench -seed $(SEED) \
		$(if $(filter-out file,$(origin DURATION)),-duration $(DURATION)) $(if $(ONLY),-only $(ONLY))

.PHONY: bench-go
bench-go: $(orderflow) ## the benchmarks of all packages
	@$(orderflow) install && exec $(orderflow) exec -- go test -run '^$$' -bench . -timeout 30m $(TESTFLAGS) work

.PHONY: bench-gateway
bench-gateway: $(orderflow) ## the overhead of the gateway on a call of a service, as a ratio of their p50 and p99
	@$(orderflow) install && exec $(orderflow) exec -- go test -run '^$$' -bench '^BenchmarkGateway$$' -benchtime 4000x -timeout 30m ./e2e

.PHONY: vet
vet: ## go vet, all modules
	@go vet work
	@cd e2e/observability && GOWORK=off go vet .

actionlint := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 # by itself: beside golangci-lint it does not compile
workflows := $(wildcard .github/workflows/*.yml)

.PHONY: lint
lint: ## golangci-lint, each module by itself; actionlint
	@$(if $(workflows),GOWORK=off go run $(actionlint) -shellcheck= -pyflakes= $(workflows) || failed=1;) \
	for module in $(modules); do \
		echo "lint $${module#$(CURDIR)/}"; \
		(cd "$$module" && GOWORK=off go tool -modfile="$(CURDIR)/tools/go.mod" golangci-lint run ./...) || failed=1; \
	done; test -z "$$failed"

.PHONY: vuln
vuln: ## known vulnerabilities in code that the programs call: govulncheck
	@cd tools && GOWORK=off go run ./vuln $$(cd .. && go list -m -f '{{.Dir}}') $(CURDIR)/e2e/observability

.PHONY: fmt
fmt: ## format all code
	@for module in $(modules); do \
		(cd "$$module" && GOWORK=off go tool -modfile="$(CURDIR)/tools/go.mod" golangci-lint fmt) || failed=1; \
	done; test -z "$$failed"

rename: export MODULE := $(MODULE)

.PHONY: rename
rename: $(orderflow) ## the modules of a fork get its path, everywhere: MODULE=github.com/acme/shop; docs/fork.md
	@exec $(orderflow) rename "$$MODULE"

.PHONY: build
build: ## build all programs into bin
	@go build -o bin/ $(addprefix ./,$(programs)) ./local/cmd/orderflow

.PHONY: clean
clean: $(orderflow) ## end the system; remove it, the built programs, and all data
	@$(orderflow) clean
	@rm -rf bin

# Go decides whether it is up to date.
.PHONY: $(orderflow)
$(orderflow):
	@go build -o $@ ./local/cmd/orderflow
