# What can be done here; `make` alone prints this list.

SWIFT ?= swift
SOURCES := Package.swift Sources Tests examples
PROGRAMS = $(shell $(SWIFT) build --show-bin-path)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

deps: ## install the Debian packages that are missing
	@scripts/deps

build: deps ## build everything
	$(SWIFT) build

run: build ## the whole system on loopback, until Ctrl-C
	@$(PROGRAMS)/ate-local run

demo: build ## a helpdesk's story in ten beats, with every claim checked
	@$(PROGRAMS)/ate-local demo

test: deps ## the quick tests, and 2,000 seeds of the simulation
	scripts/test quick

test-full: deps ## what takes minutes: more tests, more seeds, planted mistakes, the demo, other clients
	scripts/test full

soak: deps ## the real programs under load and faults; MINUTES=30 for how long, SEED=7 to choose the faults
	SOAK_MINUTES=$(or $(MINUTES),10) SOAK_SEED=$(SEED) scripts/test soak

simulate: deps ## the control plane and the nodes under a seeded scheduler; SEEDS=100000 for how many
	scripts/simulate --seeds $(or $(SEEDS),2000)

interop: build ## clients in another language against the whole system
	scripts/interop

check-docs: build ## every command in README.md and docs/, as a reader would run it
	scripts/docs

sanitize: deps ## the tests of the modules over C libraries under the address, leak and thread sanitizers
	scripts/sanitize

bench: ## what calls cost beside a client in C++, releases, resumes and suspends, and routing; BENCH=release for one of them
	@scripts/deps bench
	scripts/bench $(BENCH)

deb: deps ## build the Debian package
	@scripts/deps deb
	scripts/deb

test-deb: deb ## install the package in a clean Debian, serve from there, remove it; as root, needs a mirror of Debian
	scripts/test-deb

generate: deps ## generate the C messages from proto/
	scripts/generate

check-generated: deps ## fail if generating would change anything
	scripts/check-generated

format: ## format the Swift sources
	$(SWIFT) format --in-place --parallel --recursive $(SOURCES)

lint: ## fail if the sources are not formatted
	$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)
	for file in $$(find scripts .ci -maxdepth 1 -type f); do bash -n "$$file" || exit 1; done

.PHONY: check-docs deb test-deb help deps build run demo test test-full soak simulate interop sanitize bench generate check-generated format lint
