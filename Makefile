# Every target sets up what it needs; `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
SYNC := $(UV) sync --frozen --inexact --quiet
RUN := .venv/bin
export UV_PYTHON_DOWNLOADS := never

.PHONY: help setup serve demo cluster cluster-demo test test-browser check lint types fuzz chaos bench docs

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

setup: $(if $(findstring .uv,$(UV)),.uv/bin/uv)  ## Create the environment with what serving needs
	@$(SYNC) --compile-bytecode

.PHONY: setup-dev setup-bench
setup-dev: setup
	@$(SYNC) --group dev

setup-bench: setup
	@$(SYNC) --group bench --compile-bytecode

serve: setup  ## Start the server on embedded defaults, at http://127.0.0.1:7860
	@$(RUN)/bedplate serve

demo: setup  ## Run the main job against a server of its own, step by step
	@$(SYNC) --group demo
	@$(RUN)/python -m examples.demo

cluster: setup-bench  ## Bring up PostgreSQL, Valkey, S3, two replicas and a worker, until Ctrl-C
	@$(RUN)/python -m examples.cluster

cluster-demo: setup-bench  ## Run the main job across such a cluster, step by step
	@$(RUN)/python -m examples.cluster.demo

test: lint types  ## Run lint, types and every test; those in a browser where Chromium is
	@$(RUN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not browser"
	@$(RUN)/python -m pytest -n 2 --dist loadfile -m "slow and not serial and not browser"
	@$(RUN)/python -m pytest -m serial tests/contract
	@if $(RUN)/python -m tests.browser.chromium; then $(MAKE) --no-print-directory test-browser; fi

test-browser: setup-dev  ## Look at the dashboard in Chromium (apt-get install chromium)
	@$(RUN)/python -m pytest tests/browser

check: lint types  ## Run lint, types and the quick tests (three minutes at most)
	@$(RUN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not browser" tests/unit tests/contract

lint: setup-dev  ## Check style, formatting and the rules of who may import whom
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/lint-imports

types: setup-dev  ## Check types
	@$(RUN)/mypy

fuzz: setup-dev  ## Send every operation of the REST API a hundred cases, others each time
	@FUZZ_CASES=100 $(RUN)/python -m pytest -n 2 tests/contract/test_schemathesis.py --timeout 1200

chaos: setup-dev  ## Break engines and replicas at random under load, for CHAOS_SECONDS (60), by CHAOS_SEED
	@$(RUN)/python -m tests.cluster.chaos --seconds $(or $(CHAOS_SECONDS),60) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))

bench: setup-bench  ## Measure, and write benchmarks/results.json and benchmarks/RESULTS.md
	@$(RUN)/python -m benchmarks

docs: setup  ## Generate the reference pages
	@$(RUN)/python -m bedplate.wiring.cli.docs
