# Everything a developer does with this repository. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET)/release/doorward
DIST := $(TARGET)/dist
SPEC := openapi/doorward.json
# The suites of `make e2e`: make e2e SUITES="browser sdk/python"
SUITES ?=
# More words for `make run` and `make bench…`: make run ARGS="--listen 127.0.0.1:9000"
ARGS ?=

##@ Every day
.PHONY: help run test fmt lint doc
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "%s%s\n", (n++ ? "\n" : ""), substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the server, with nothing configured (more arguments: ARGS="...")
	$(CARGO) run --release --locked -- serve $(ARGS)

test: ## Run every Rust test: unit, integration and documentation
	$(CARGO) test --workspace --locked

fmt: ## Format the code
	$(CARGO) fmt --all

lint: ## Let clippy read the code; a warning is an error
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

doc: ## Build the crate's documentation; a broken link is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --locked

##@ The spec
.PHONY: openapi openapi-check
openapi: ## Write openapi/doorward.json from the code
	@mkdir -p $(dir $(SPEC)) $(TARGET)
	$(CARGO) run --locked --quiet -- openapi > $(TARGET)/openapi.json
	@mv $(TARGET)/openapi.json $(SPEC)
	@echo "wrote $(SPEC)"

openapi-check: ## Fail if the committed spec is not what the code says
	@mkdir -p $(TARGET)
	$(CARGO) run --locked --quiet -- openapi > $(TARGET)/openapi.json
	@diff -u $(SPEC) $(TARGET)/openapi.json \
	  || { echo "$(SPEC) is not what the code says: run 'make openapi' and review the diff" >&2; exit 1; }

.PHONY: sdk
sdk: ## Write the client SDKs to target/sdk/: Python, TypeScript, Rust, and Go and Java
	openapi/sdk/python/generate.sh
	openapi/sdk/typescript/generate.sh
	openapi/sdk/rust/generate.sh
	openapi/sdk/go-java.sh

##@ Before a push
.PHONY: check fmt-check verify-only unit-check supply-chain linear-control e2e prove reproducible
check: fmt-check lint verify-only doc openapi-check unit-check supply-chain linear-control test ## Everything that must pass, but what `make e2e` runs

fmt-check: ## Fail if `make fmt` would change something
	$(CARGO) fmt --all --check

verify-only: ## Check the library without the server: what another service embeds
	$(CARGO) clippy --lib --no-default-features --locked -- -D warnings

unit-check: ## Let systemd judge packaging/doorward.service, where it is installed
	@packaging/verify-unit.sh

supply-chain: ## Check licences and sources of all dependencies (deny.toml), and write the SBOM
	@packaging/supply-chain.sh

linear-control: ## See the linearizability test catch a store that rotates in two transactions
	$(CARGO) test --locked --test linear --features broken-rotation

prove: ## Run the long proofs (about half an hour) and write docs/PROOF.md
	bash tests/prove.sh

reproducible: ## Build the last commit twice, in two places, and compare the binaries
	packaging/reproducible.sh

e2e: ## Check the spec, and run the browser and the SDKs against a release build (SUITES="...")
	bash tests/e2e/run.sh $(SUITES)

##@ Measure
.PHONY: bench bench-curves bench-micro bench-peers
bench: ## Measure the release binary against what this machine can do (about five minutes)
	$(CARGO) build --release --locked -p doorward -p doorward-bench
	$(TARGET)/release/doorward-bench table --data $(TARGET)/bench $(ARGS)

bench-curves: ## Draw docs/performance-*.svg: connections, and up to five million sessions
	$(CARGO) build --release --locked -p doorward -p doorward-bench
	$(TARGET)/release/doorward-bench curves --data $(TARGET)/bench $(ARGS)

bench-micro: ## Time the pieces: tokens, the ratchet, judge, cookies
	$(CARGO) bench --locked --bench micro

bench-peers: ## Measure a release build beside PocketBase and Express (more arguments: ARGS="...")
	$(CARGO) build --release --locked -p doorward -p doorward-bench
	DOORWARD_BENCH=$(TARGET)/release/doorward-bench bash benches/peers/run.sh $(ARGS)

##@ To ship it
.PHONY: release dist clean
release: ## Build the binary to ship and print its size
	$(CARGO) build --release --locked
	@printf '%s: %s MiB\n' $(BINARY) "$$(wc -c < $(BINARY) | awk '{ printf "%.1f", $$1 / 1048576 }')"

dist: release ## Collect binary, man pages and completions in target/dist
	@mkdir -p $(DIST)/man $(DIST)/completions
	cp $(BINARY) $(DIST)/
	$(BINARY) man $(DIST)/man
	$(BINARY) completions bash > $(DIST)/completions/doorward.bash
	$(BINARY) completions zsh > $(DIST)/completions/_doorward
	$(BINARY) completions fish > $(DIST)/completions/doorward.fish

clean: ## Remove what was built; data/ stays
	$(CARGO) clean
