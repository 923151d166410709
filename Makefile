# `make` lists the targets. Needs GNU make 3.81 or newer, which is what macOS has.

SHELL := /bin/sh
.DEFAULT_GOAL := help
# One cargo at a time: they would only wait for each other's lock.
.NOTPARALLEL:

PYTHON ?= python3
# Arguments of `safelight serve`, for instance: make run ARGS='--listen 0.0.0.0:8080'
ARGS ?=
# 1: also build the binary whose `test-hooks` feature lets tests switch off what they guard (the
# wiping of memory), to see that they would notice; 0 skips those controls.
HOOKS ?= 1
# Seconds for each fuzz target, and which of them (all: none named).
FUZZ_SECONDS ?= 60
FUZZ ?=

# Exported, so that cargo, the scripts and the tests agree on where built things lie.
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
export CARGO_TARGET_DIR := $(if $(filter /%,$(TARGET)),$(TARGET),$(CURDIR)/$(TARGET))

SKIP_LOG := $(CARGO_TARGET_DIR)/skipped-tests.log
TEST_VENV := $(CARGO_TARGET_DIR)/test-venv
TEST_NODE := $(CARGO_TARGET_DIR)/test-node
TEST_TOOLS := $(CARGO_TARGET_DIR)/test-tools/usr/bin
HOOKS_BIN := $(CARGO_TARGET_DIR)/test-hooks/safelight

.PHONY: help run build runtime test test-deps lint fuzz bench reproducible fmt clean check-tools

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: build ## build what is missing and serve on 127.0.0.1:8080 (ARGS='...' for flags)
	"$(CARGO_TARGET_DIR)/release/safelight" serve $(ARGS)

build: check-tools runtime ## the release binary, in target/release/
	cargo build --release --locked

# Executables under target/release/ and target/debug/ find the library by themselves; those that
# cargo runs out of their deps/ folder (unit tests, benches) need the link.
runtime: check-tools ## fetch the pinned ONNX Runtime library, once
	@$(PYTHON) scripts/fetch_onnxruntime.py
	@for profile in debug release; do \
		mkdir -p "$(CARGO_TARGET_DIR)/$$profile" && \
		ln -sfn ../onnxruntime "$(CARGO_TARGET_DIR)/$$profile/onnxruntime" || exit 1; \
	done

# A test whose tool is absent says so in SAFELIGHT_SKIP_LOG and passes; with SAFELIGHT_TEST_ALL=1
# it fails, and so does this target should a skip have gone unnoticed. What lacks the data beside the
# project, which cannot be installed, is said and is no failure.
test: check-tools runtime ## all tests (SAFELIGHT_TEST_ALL=1: a skipped test is a failure)
	@: > "$(SKIP_LOG)"
ifeq ($(HOOKS),1)
	@# In the same target folder, so that the dependencies are built once; then moved out of the
	@# way of the plain build, to where ../onnxruntime/ is the library.
	cargo build --locked --features test-hooks
	@mkdir -p "$(CARGO_TARGET_DIR)/test-hooks"
	@cp "$(CARGO_TARGET_DIR)/debug/safelight" "$(HOOKS_BIN).new" && mv "$(HOOKS_BIN).new" "$(HOOKS_BIN)"
endif
	cargo build --locked
	@status=0; \
	export PATH="$(TEST_TOOLS):$$PATH" SAFELIGHT_SKIP_LOG="$(SKIP_LOG)"; \
	export SAFELIGHT_TEST_PYTHON="$(TEST_VENV)/bin/python" SAFELIGHT_TEST_NODE="$(TEST_NODE)"; \
	if [ "$(HOOKS)" = 1 ]; then export SAFELIGHT_TEST_HOOKS_BIN="$(HOOKS_BIN)"; fi; \
	echo "cargo test --locked --no-fail-fast"; \
	cargo test --locked --no-fail-fast || status=$$?; \
	skipped=$$(wc -l < "$(SKIP_LOG)" | tr -d ' '); \
	echo; sort "$(SKIP_LOG)"; echo "tests skipped: $$skipped"; \
	if [ "$$SAFELIGHT_TEST_ALL" = 1 ] && grep -qv 'needs \.\./shared' "$(SKIP_LOG)"; then \
		echo "make test: SAFELIGHT_TEST_ALL=1 and tests were skipped" >&2; \
		[ "$$status" != 0 ] || status=1; \
	fi; \
	exit $$status

test-deps: check-tools ## install what the skipped tests need (Debian and Ubuntu; root or sudo)
	@scripts/test_deps.sh "$(CARGO_TARGET_DIR)"

lint: check-tools ## formatting, clippy, docs, licences
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --document-private-items --locked
	@scripts/deny.sh

# Linux, a C++ compiler, and a compiler that RUSTC_BOOTSTRAP=1 opens; without them it says so.
fuzz: check-tools ## fuzz the parsers (FUZZ_SECONDS=60 each; FUZZ='probe decode': these)
	@scripts/fuzz.sh $(FUZZ_SECONDS) $(FUZZ)

# Its tables go into docs/performance.md. The pictures may be any photographs; those beside the
# project are used where they are there. Where servers of others are set up (the folder PEERS has targets for
# COMPARE), the tables against them are printed; they are put into the document by hand.
BENCH_PICTURES ?= $(or $(wildcard ../shared/data/photos/*.jpg),docs/images/scene.jpg)
PEERS ?= .peers
COMPARE ?= ../shared/tools/compare.py
bench: build ## the benchmarks, which write the tables of docs/performance.md (`make test-deps` first)
	cargo bench --locked --bench pipeline
	cargo bench --locked --bench profile -- --write
	cargo bench --locked --bench allocations -- --write
	@program="$(CARGO_TARGET_DIR)/release/safelight"; run() { \
		echo "benches/$$1.py"; name=$$1; shift; \
		"$(TEST_VENV)/bin/python" -B benches/$$name.py --write "$$program" "$$@"; }; \
	run png $(BENCH_PICTURES) && \
	run curves $(lastword $(BENCH_PICTURES)) && \
	run order $(lastword $(BENCH_PICTURES)) && \
	run start $(lastword $(BENCH_PICTURES)) && \
	run restoration $(lastword $(BENCH_PICTURES)) --large
	"$(TEST_VENV)/bin/python" -B benches/sessions.py --write models/cutout.onnx models/restore.onnx
	"$(TEST_VENV)/bin/python" -B benches/loading.py --write $(addprefix models/,$(addsuffix .onnx,cutout inpaint restore scratch))
	@# What the care costs and which policy for rows is best, by a build that has the switches; then the
	@# plain build is back.
	cargo build --release --locked --features test-hooks
	@mkdir -p "$(CARGO_TARGET_DIR)/test-hooks"
	cp "$(CARGO_TARGET_DIR)/release/safelight" "$(CARGO_TARGET_DIR)/test-hooks/release"
	cargo build --release --locked
	@for name in division hardening; do \
		echo "benches/$$name.py"; \
		"$(TEST_VENV)/bin/python" -B benches/$$name.py --write "$(CARGO_TARGET_DIR)/test-hooks/release" \
			$(lastword $(BENCH_PICTURES)) || exit 1; \
	done
	@for pair in rembg:1mp rembg:12mp transform:12mp; do \
		targets="$(PEERS)/$${pair%:*}.json"; pictures="$(PEERS)/images/$${pair#*:}"; \
		if [ -f "$$targets" ] && [ -f "$(COMPARE)" ]; then \
			"$(PYTHON)" "$(COMPARE)" "$$targets" --images "$$pictures" --no-turn --concurrency 4 || exit 1; \
		else \
			echo "make bench: $$targets is not there, so nothing is compared with it"; \
		fi; \
	done

# Two full release builds, so it is no part of .ci/run.
reproducible: check-tools ## build the release twice and compare the digests
	@scripts/reproducible.sh

fmt: ## format the sources
	cargo fmt
	cargo fmt --manifest-path fuzz/Cargo.toml

clean: ## remove everything that was built, fetched or installed here
	cargo clean
	rm -rf fuzz/target

check-tools:
	@PYTHON="$(PYTHON)" scripts/check_tools.sh
