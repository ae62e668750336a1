# rulemill's commands. `make` alone lists them.
#
# Cargo is always asked for the whole workspace: another choice of packages has other features of their libraries, and
# would compile these once more.
#
#   make run     build everything and watch it work
#   make test    everything that must hold, with what the tests need installed first

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

RULES   := $(notdir $(patsubst %/Cargo.toml,%,$(wildcard rules/*/Cargo.toml)))
GUEST   := wasm32-unknown-unknown
SUDO    := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
NEXTEST := $(shell command -v cargo-nextest)
FUZZED  := loader lifting json config
FUZZ_SECONDS ?= 600
KILLS   ?= 200

.PHONY: help run build rules test check-format check-lints check-docs check-dependencies unit e2e sim crash bench soak fuzz ci \
        need-rust need-guest-target need-mosquitto need-fuzzer clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

run: build rules ## build everything and run the demo; ARGS="--for 25s --json" are handed on
	target/release/rulemill demo $(ARGS)

build: rules ## the release binary, target/release/rulemill, with the standard libraries in it
	RULEMILL_LIBRARIES=required cargo build --release --workspace --bins

rules: need-guest-target ## the shipped rules and libraries, dist/rules/*.wasm
	cargo build --quiet --profile guest --target $(GUEST) $(addprefix --package ,$(RULES))
	mkdir -p dist/rules
	for rule in $(RULES); do built=target/$(GUEST)/guest/$$rule.wasm; there=dist/rules/$$rule.wasm; \
	  cmp -s $$built $$there || { cp $$built dist/rules/.$$rule.new && mv dist/rules/.$$rule.new $$there; }; done

test: check-format rules check-lints unit e2e check-docs check-dependencies ## every test and check

check-format: need-rust ## formatting
	cargo fmt --all --check

check-lints: need-guest-target ## clippy, warnings denied
	cargo clippy --workspace --all-targets --quiet -- -D warnings

unit: need-rust rules ## unit and property tests
ifneq ($(NEXTEST),)
	cargo nextest run --workspace -E 'not binary(e2e)'
else
	cargo test --workspace --lib --bins --tests -- --skip e2e
endif
	cargo test --quiet --workspace --doc

e2e: need-mosquitto rules ## the real binary against real brokers
	cargo build --workspace --bins
ifneq ($(NEXTEST),)
	cargo nextest run --workspace -E 'binary(e2e)'
else
	cargo test --workspace --test e2e
endif

check-docs: need-rust ## the API documentation builds without warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --quiet

check-dependencies: need-rust ## licences, bans and sources (the same lists are also checked by a test)
	if command -v cargo-deny >/dev/null; then cargo deny --offline check bans licenses sources; \
	else echo "cargo-deny is not installed; tests/tests/tidy checked deny.toml's lists"; fi

sim: need-rust ## crashes on a simulated disk; ARGS="SEEDS FIRST" are handed on, 100000 seeds without
	cargo bench --quiet --package rulemill-journal --bench sim -- $(ARGS)

crash: need-mosquitto rules ## kill and spoil everything 200 times while messages flow: nothing may be lost; KILLS=20 makes it shorter, SEED=1 repeats a run
	cargo build --workspace --bins
	CRASH_KILLS=$(KILLS) CRASH_SEED=$(SEED) cargo test --quiet --workspace --test e2e -- --nocapture crash::

bench: build rules ## the measurements of docs/benchmarks.md
	cargo bench --package rulemill --bench budgets

soak: build rules ## a thousand reloads under load: nothing lost, nothing leaked; ARGS=100 makes it shorter
	cargo bench --package rulemill --bench budgets -- soak $(ARGS)

fuzz: need-fuzzer ## ten minutes of random bytes for the loader, results, payloads and the configuration; FUZZ_SECONDS=60 makes it shorter
	cd tests/fuzz && for target in $(FUZZED); do \
	  mkdir -p corpus/$$target && cargo +nightly fuzz run --fuzz-dir . --sanitizer none $$target corpus/$$target seeds/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=20 -rss_limit_mb=4096; \
	done

ci: test ## what CI runs

need-rust:
	@command -v cargo >/dev/null || { echo "rulemill needs Rust: install rustup, then run this again" >&2; exit 1; }

need-guest-target: need-rust
	@rustc --print target-libdir --target $(GUEST) | xargs test -d || rustup target add $(GUEST)

need-mosquitto:
	@command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || { \
	  echo "installing mosquitto, the broker that the tests talk to"; \
	  if command -v apt-get >/dev/null; then \
	    $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mosquitto; \
	  elif command -v dnf >/dev/null; then $(SUDO) dnf install -y -q mosquitto; \
	  elif command -v brew >/dev/null; then brew install mosquitto; \
	  else echo "install mosquitto by hand, then run this again" >&2; exit 1; fi; }

need-fuzzer: need-rust
	@rustup toolchain list | grep -q nightly || rustup toolchain install nightly --profile minimal
	@command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked

clean: ## forget what was built
	cargo clean
	rm -rf dist
