# make help lists the targets. None is needed to build or to test: each is one or two go commands.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)
# Packages that start goroutines: the race detector finds nothing in the others. The slowest come first, so that the others
# run in parallel with them.
CONCURRENT := ./internal/poll ./cmd/bridge ./internal/ingest ./internal/publish ./internal/admin ./internal/audit ./internal/broker \
	./internal/doctor ./internal/edge ./internal/eventlog ./internal/mkio/mkiofake ./internal/replay ./internal/rule \
	./internal/notify ./internal/progress ./internal/streams ./internal/tracing ./internal/wait
# Packages with long simulations.
SIMULATED := ./cmd/bridge ./internal/identity ./internal/poll
PLATFORMS := darwin/arm64 linux/arm64 freebsd/amd64 windows/amd64
PREFIX ?= /usr/local
FUZZTIME ?= 1m
# Flags of go test. Where golangci-lint runs too, -vet=off saves vetting again.
TESTFLAGS ?=
SOAK_DIR ?= $(or $(TMPDIR),/tmp)/mkio-bridge-soak

.PHONY: help build documents install cross test e2e long browser pictures race lint bench economy fuzz soak demo

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "%-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the program as ./mkio-bridge
	go build -trimpath -ldflags "-X main.buildVersion=$(VERSION)" -o mkio-bridge ./cmd/bridge

documents: ## generate man pages and shell completions in ./generated
	rm -rf generated && mkdir -p generated/man generated/completion
	go build -trimpath -ldflags "-X main.buildVersion=$(VERSION)" -o generated/mkio-bridge ./cmd/bridge
	generated/mkio-bridge man generated/man
	@for shell in bash zsh fish; do generated/mkio-bridge completion $$shell >generated/completion/mkio-bridge.$$shell; done
	@generated/mkio-bridge completion powershell >generated/completion/mkio-bridge.ps1
	rm generated/mkio-bridge

install: build documents ## install the program, its man pages and its completions under PREFIX (/usr/local)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin mkio-bridge
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 generated/man/*.1
	install -D -m 644 generated/completion/mkio-bridge.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/mkio-bridge
	install -D -m 644 generated/completion/mkio-bridge.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_mkio-bridge
	install -D -m 644 generated/completion/mkio-bridge.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/mkio-bridge.fish

cross: ## build for every other supported platform
	@for platform in $(PLATFORMS); do echo "$$platform"; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} go build -o /dev/null ./cmd/bridge; done

test: ## unit tests: need only Go, take two minutes
	go test ./...

e2e: ## end-to-end tests: processes, clusters, torture, examples; they use the whole machine
	go test $(TESTFLAGS) -tags e2e -count=1 -p 1 -parallel 6 -timeout 20m -skip '^TestSoak' ./test/e2e

long: ## long simulations
	go test $(TESTFLAGS) -tags e2e -count=1 -timeout 20m -run '^TestLong' $(SIMULATED)

browser: ## tests of the web console in chromium
	go test $(TESTFLAGS) -tags e2e -count=1 -parallel 4 -timeout 10m -skip '^TestSoak' ./test/browser

pictures: ## take the pictures of docs/ with chromium; ALL=DIR takes every screen in both themes and widths into DIR
	go test -tags e2e -count=1 -timeout 10m -v -run '^TestPictures$$' ./test/browser -pictures $(if $(ALL),-all $(abspath $(ALL)))

race: ## unit tests of concurrent packages with the race detector, without long simulations (needs a C compiler)
	go test $(TESTFLAGS) -race -short $(CONCURRENT)

lint: ## golangci-lint, also of tests behind build tags
	golangci-lint run --allow-parallel-runners --build-tags e2e ./...

bench: ## benchmarks
	go test -run '^$$' -bench . -benchmem ./internal/...

economy: ## what polling costs: executes days of the bridge in minutes, and writes the table in docs/performance.md
	go test -tags e2e -count=1 -timeout 60m -v -run '^TestSoakEconomy$$' ./cmd/bridge -update

fuzz: ## every fuzz target for FUZZTIME (1m)
	@grep -rho '^func Fuzz[A-Za-z]*' --include='*_test.go' . | sort -u | sed 's/func //' | while read -r target; do \
		package="$$(grep -rl "^func $$target(" --include='*_test.go' . | xargs -n 1 dirname)"; \
		echo "$$package $$target"; go test "$$package" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME); done

soak: ## tests too long for every change, most of an hour: torture (cluster, embedded), simulated weeks, economy, readers, the console, fuzzing, races
	mkdir -p $(SOAK_DIR)
	go run ./cmd/torture -for 5m -seed "$$RANDOM" -resources 200 -dir $(SOAK_DIR)/cluster
	go run ./cmd/torture -for 5m -seed "$$RANDOM" -resources 100 -embedded -dir $(SOAK_DIR)/embedded
	go test -tags e2e -count=1 -timeout 40m -p 1 -run '^TestSoak' ./internal/notify ./internal/poll ./cmd/bridge ./test/e2e
	go test -tags e2e -count=1 -v -timeout 40m -run '^TestSoak' ./test/browser # -v: it reports times and memory
	$(MAKE) fuzz FUZZTIME=1m
	go test -race -count=1 -timeout 30m $(CONCURRENT)
	go test -race -short -count=3 -timeout 30m $(CONCURRENT)

demo: ## run a scripted day in seconds: a simulated MK.IO, the bridge, and a summary by source
	go run ./cmd/bridge demo
