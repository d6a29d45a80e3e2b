# Dozaar. `make help` lists what there is to make.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GOLANGCI_LINT_VERSION := v2.15.0
GOVULNCHECK_VERSION   := v1.9.0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
TOOLS   := $(CURDIR)/.tools
PAGE    := pkg/web/dist/index.html
E2E     := cmd/dozaar/e2e
PYTHON  := $(TOOLS)/venv/bin/python
REDIS   ?= single
ENGINES_DIR := $(or $(DOZAAR_ENGINES_DIR),.engines)

.PHONY: help
help: ## what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.PHONY: run
run: build ## build and start the whole product on embedded engines; prints where to click
	bin/dozaar all --dev

.PHONY: build
build: need-go $(PAGE) ## bin/dozaar, with the page in it, and bin/loadtest
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/dozaar ./cmd/dozaar
	CGO_ENABLED=0 go build -trimpath -o bin/loadtest ./loadtest

.PHONY: generate docs
generate: need-go ## what follows from the contracts in schemas/: types in Go and TypeScript, the topics in asyncapi.yaml, the lineage; a test fails where it is stale
	go run ./schemas/generate
docs: need-go ## bin/docs/index.html: topics, schemas field by field, socket events, the HTTP API
	go run ./schemas/generate -docs bin/docs

.PHONY: test
test: test-embedded ## everything: unit (with -race), model, page, end to end on embedded engines and, where there are Java and Redis, on real ones
	$(MAKE) --no-print-directory test-engines SHORT=-short

# LONGEST begin first, so that nothing is left to wait for at the end. Most tests wait for something, so there may be more at once than two.
LONGEST := ./pkg/presence ./pkg/store/sqlite ./cmd/dozaar ./streams/deliver ./deploy/prometheus
.PHONY: test-embedded
test-embedded: build clients ## every test that needs no real engines
	go test -race -p 3 -timeout 10m $(LONGEST) $$(go list ./... | grep -v /$(E2E))
	go test -timeout 5m -run WhatLeasesCost ./pkg/presence
	cd deploy/helm/check && go test ./...
	cd pkg/web && npm run --silent check && npm test --silent
	env -u DOZAAR_KAFKA_BROKERS -u DOZAAR_SCHEMA_REGISTRY_URL -u DOZAAR_CASSANDRA_HOSTS -u DOZAAR_REDIS_ADDRS \
	  DOZAAR_PYTHON=$(PYTHON) go test -count=1 -timeout 10m -v ./$(E2E)

.PHONY: test-engines
test-engines: build clients ## the store's and Kafka's tests and everything end to end on real engines of their own; REDIS=sentinel or cluster, ENGINES=cluster
	ENGINES_REDIS=$(REDIS) deploy/engines/with.sh $(MAKE) --no-print-directory on-engines

# on-engines runs what is tested on the engines of the environment, which it kills. Few partitions are faster to make.
.PHONY: on-engines
on-engines:
	@test -n "$$DOZAAR_ENGINES_DIR" || { echo "run make test-engines"; exit 1; }
	$(if $(RUN),,$(MAKE) --no-print-directory on-store)
	DOZAAR_KAFKA_PARTITIONS=12 DOZAAR_PYTHON=$(PYTHON) go test -count=1 -timeout 20m -v $(SHORT) -run '$(RUN)' ./$(E2E)

.PHONY: clients
clients: $(E2E)/js/node_modules $(TOOLS)/venv/ready need-chromium

.PHONY: test-fast
test-fast: need-go ## the Go tests without -race and without a browser
	go test -timeout 5m $$(go list ./... | grep -v /$(E2E))

.PHONY: model
model: need-go ## tens of thousands of random histories of the numbering rules, and hundreds of who is online
	go test -run Model -timeout 30m ./streams/deliver -rapid.checks=20000
	go test -run Model -timeout 60m ./pkg/presence -rapid.checks=300

.PHONY: engines engines-down
engines: ## real Kafka, Cassandra, Redis and a schema registry without Docker; then source the file that it names. ENGINES=cluster, ENGINES_REDIS=sentinel or cluster
	deploy/engines/engines.sh up
engines-down: ## ends what `make engines` started
	deploy/engines/engines.sh down

.PHONY: test-store
test-store: need-go ## the Cassandra store's tests, and the Kafka consumer's that need a real one, against `make engines`
	. $(abspath $(ENGINES_DIR))/env && $(MAKE) --no-print-directory on-store

# on-store is the same on the engines of the environment; without their addresses it fails.
.PHONY: on-store
on-store:
	CI_ENGINES=1 DOZAAR_TEST_CASSANDRA=$$DOZAAR_CASSANDRA_HOSTS go test -count=1 -timeout 30m ./pkg/store/cassandra
	CI_ENGINES=1 DOZAAR_TEST_KAFKA=$$DOZAAR_KAFKA_BROKERS go test -count=1 -timeout 10m -run TestReal ./pkg/kafka

.PHONY: bench-sockets
bench-sockets: need-go need-node ## pkg/socketio beside the bare library, Node's socket.io and a bare websocket; writes docs/benchmarks/sockets.md
	go run ./loadtest/sockets

.PHONY: bench-pipeline
bench-pipeline: need-go ## what a message costs each process and engine, beside the raw clients; starts its own engines (as `make engines`); writes docs/benchmarks/pipeline.md
	go run ./loadtest/pipeline

.PHONY: bench-cold
bench-cold: need-go ## a deliver that knows nothing is given a message of each of 100,000 conversations within a minute; starts its own engines; writes docs/benchmarks/pipeline.md
	go run ./loadtest/cold -publish

.PHONY: compare
compare: need-go need-node ## Dozaar beside Node's socket.io, NestJS with Kafka and Cassandra, and Centrifuge; starts its own engines; writes docs/benchmarks/comparison.md
	go run ./loadtest/compare

.PHONY: bench-presence
bench-presence: need-go ## what it costs to know who is online: leases, a storm, a big seller; needs redis-server; writes docs/benchmarks/presence.md
	go run ./loadtest/presence

.PHONY: bench-drain
bench-drain: need-go ## a rolling deploy: a gateway of 10,000 sockets drains while people talk; starts its own engines; writes docs/benchmarks/deploy.md
	go run ./loadtest/drain

.PHONY: bench-scaling
bench-scaling: need-go ## how costs grow with sockets, members, conversations, gateways, delivers, partitions; starts its own engines; writes docs/scaling.md
	go run ./loadtest/scaling

.PHONY: bench-storm
bench-storm: need-go ## what a connected client notices while others are turned away; writes docs/benchmarks/sockets.md
	go run ./loadtest/sockets -storm

KINDS ?= 4
ROUNDS ?= 1
SEED ?= 1
RATE ?= 0
.PHONY: faults
faults: need-go ## break a running product in named ways, on real engines of its own, and judge what clients saw: KINDS=all, a number to draw, or names; ROUNDS, SEED, RATE; PUBLISH=1 writes docs/reliability.md
	go run ./loadtest/faults -kinds "$(KINDS)" -rounds $(ROUNDS) -seed $(SEED) -rate $(RATE) $(if $(PUBLISH),-results docs/reliability.jsonl -publish)

PLANTS ?= all
.PHONY: planted
planted: need-go ## build products that break a promise, and see that each is caught as what it is: PLANTS=names; the product's source stays as it is
	go run ./loadtest/faults -planted "$(PLANTS)" -rate 200 -conversations 100 -quiet 5s -tail 10s

.PHONY: plot
plot: build ## a minute of load, scraped by a real Prometheus, and its golden signals drawn into docs/golden-signals.svg
	DOZAAR_PLOT=$(CURDIR)/docs/golden-signals.svg go test -count=1 -run TestDashboards -v ./$(E2E)

.PHONY: conformance
conformance: need-go ## the published Engine.IO and Socket.IO suites: SUITES=folder with checkouts of both, `npm ci` done in their test-suite folders
	@test -n "$(SUITES)" || { echo "SUITES must name a folder with checkouts of socketio/engine.io-protocol and socketio/socket.io-protocol"; exit 1; }
	DOZAAR_CONFORMANCE_SUITES=$(abspath $(SUITES)) go test -count=1 -run Conformance -v ./pkg/socketio

.PHONY: order
order: need-go ## 200 sockets of a thousand numbered events over each transport and across the upgrade, with -race; the suite has fewer
	DOZAAR_ORDER=full go test -race -count=1 -timeout 20m -run 'Order|FirstEvent' -v ./pkg/socketio

.PHONY: fuzz
fuzz: need-go ## each fuzz target for 30 seconds
	@for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep ^Fuzz || true); do \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime 30s $$pkg; done; done

.PHONY: lint
lint: need-go $(TOOLS)/bin/golangci-lint-$(GOLANGCI_LINT_VERSION) ## golangci-lint, that it compiles for macOS, module tidiness, known vulnerabilities where their database can be reached
	$(TOOLS)/bin/golangci-lint-$(GOLANGCI_LINT_VERSION) run ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 go vet $$(go list ./... | grep -v loadtest/faults$$)
	go mod tidy -diff
	@$(MAKE) --no-print-directory vulncheck

.PHONY: vulncheck
vulncheck: need-go ## govulncheck; says so where its database cannot be reached
	@out=$$(go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./... 2>&1) && echo "$$out" || { \
	  if grep -qiE 'dial tcp|no such host|lookup .*: |403 Forbidden|connection refused|timeout' <<<"$$out"; then \
	    echo "govulncheck: not run, its database cannot be reached from here"; \
	  else echo "$$out"; exit 1; fi; }

.PHONY: clean
clean: ## what make built; not the data
	rm -rf bin .tools pkg/web/node_modules $(E2E)/js/node_modules
	find pkg/web/dist -mindepth 1 ! -name .gitkeep -delete

# What a new machine may lack, said in one line each.
.PHONY: need-go need-node need-chromium
need-go:
	@command -v go >/dev/null || { echo "Go 1.26 or newer is missing: https://go.dev/dl"; exit 1; }
need-node:
	@command -v npm >/dev/null || { echo "Node.js 20 or newer with npm is missing: https://nodejs.org (Debian: apt-get install nodejs npm)"; exit 1; }
need-chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || { echo "Chromium is missing, the page is tested in it (Debian: apt-get install chromium)"; exit 1; }

pkg/web/node_modules: pkg/web/package-lock.json | need-node
	cd pkg/web && npm ci --silent && touch node_modules

$(PAGE): pkg/web/node_modules $(shell find pkg/web/src pkg/web/*.html pkg/web/*.ts pkg/web/*.mjs pkg/web/package.json -type f 2>/dev/null)
	cd pkg/web && npm run --silent build && touch dist/index.html

$(E2E)/js/node_modules: $(E2E)/js/package-lock.json | need-node
	cd $(E2E)/js && npm ci --silent && touch node_modules

$(TOOLS)/venv/ready: $(E2E)/python/requirements.txt
	@command -v python3 >/dev/null || { echo "Python 3 is missing, the second client is tested with it (Debian: apt-get install python3 python3-venv)"; exit 1; }
	python3 -m venv $(TOOLS)/venv || { echo "python3-venv is missing (Debian: apt-get install python3-venv)"; exit 1; }
	$(TOOLS)/venv/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

$(TOOLS)/bin/golangci-lint-$(GOLANGCI_LINT_VERSION):
	GOBIN=$(TOOLS)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(TOOLS)/bin/golangci-lint $@
