# Targets print themselves: `make`.
.DEFAULT_GOAL := help
SHELL         := /bin/bash
GO            ?= go
GOLANGCI      := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BENCHSTAT     := golang.org/x/perf/cmd/benchstat@latest
VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BUILD         := CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
PKG           ?= ./...
KAFKA         := DOHLE_KAFKA_CP=$(CURDIR)/compat-tests/kafka/classpath.txt KAFKA_CLASSPATH=$(CURDIR)/compat-tests/kafka/classpath.txt
COMPAT        := cd compat-tests && $(GO) run ./cmd/compat
FUZZTIME      ?= 30s

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build and start a broker on 127.0.0.1:9092, no configuration
	./bin/dohle dev --port 9092

build: ## leave one static binary at bin/dohle
	$(BUILD) -o bin/dohle ./cmd/dohle

test: ## all tests with the race detector, and what Apache Kafka answered asked of a fresh broker
	$(GO) test -race $(PKG)
	cd compat-tests && $(GO) test ./cmd/compat ./oracle ./scenario ./wire ./generate ./node

lint: ## golangci-lint, gofmt, and go vet
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) run $(GOLANGCI) run

compat: build compat-tests/kafka/classpath.txt ## Apache Kafka and Dohle asked the same; stock clients and Kafka's tools (RUN=Test…, LONG=1, SEED=n)
	$(if $(RUN),,$(KAFKA) $(GO) test -count 1 -run 'Kafka|Generated|Current' ./controller/quorum ./internal/gen/messages)
	$(if $(RUN),,$(COMPAT) run -a kafka -b dohle -generate 10000 -seed $(or $(SEED),1) -report report)
	cd compat-tests && COMPAT_PAIR=$(if $(LONG),10000,2000) $(GO) test -count 1 -timeout $(if $(LONG),90m,60m) $(if $(RUN),-run $(RUN)) -v ./... 2>&1 | grep --line-buffered -v "^=== "; exit $${PIPESTATUS[0]}

kafka: ## bring Apache Kafka and make compat-tests/kafka/bin with its shell tools
	$(COMPAT) kafka install

oracle: compat-tests/kafka/classpath.txt ## ask the real Kafka again: what changed against the recorded answers (UPDATE=1 records them)
	$(COMPAT) $(if $(UPDATE),record,replay -b kafka) $(if $(ONLY),-only '$(ONLY)')

compatibility: build ## write COMPATIBILITY.md from what is asked and answered
	$(COMPAT) page

clients: ## install the stock clients of compat-tests/clients, each from its own registry
	$(MAKE) -C compat-tests/clients

sweep: ## a node ended at every change of its disks, by kill and by power cut (SEED=n)
	DOHLE_SWEEP=all DOHLE_SEED=$(or $(SEED),1) $(GO) test -count 1 -run TestAnyMomentMayBeTheLast ./broker

sim: ## the quorum's simulation (SEEDS=n, first SEED=n)
	$(GO) test -count 1 -run TestSimulatedQuorum -timeout 60m ./controller/quorum -seeds $(or $(SEEDS),5000) -seed $(or $(SEED),1)

compaction: ## the compaction model: random logs, cleaned and crashed, against a model in memory (SEEDS=n, first SEED=n)
	$(GO) test -count 1 -run TestCompactionModel -timeout 60m -v ./storage -seeds $(or $(SEEDS),1000) -seed $(or $(SEED),1)

kills: build ## 60 kills under load (KILLS=n, SEED=n)
	cd compat-tests && KILLS=$(or $(KILLS),60) $(GO) test -count 1 -timeout 30m -run TestKills -v ./...

generate: compat-tests/kafka/classpath.txt ## tables and codecs from Apache Kafka's own schemas and config definitions
	$(GO) run ./internal/gen/messages -classpath compat-tests/kafka/classpath.txt
	$(GO) run ./internal/gen/configs

compat-tests/kafka/classpath.txt: compat-tests/kafka/pom.xml
	mvn -q -B -f compat-tests/kafka/pom.xml dependency:build-classpath -Dmdep.outputFile=classpath.txt

bench: ## benchmarks of both data paths, as benchstat reads them
	$(GO) test -run '^$$' -bench . -benchmem -count $(or $(COUNT),1) $(PKG)

fuzz: ## every fuzz target for FUZZTIME (30s each)
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	  echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; done; done

.PHONY: clients help run build test lint bench fuzz compat kafka oracle compatibility sweep sim compaction kills generate
