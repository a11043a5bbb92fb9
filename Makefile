# Every target sets up what it needs: `make demo` on a machine with Python 3.11 and make is enough.
.DEFAULT_GOAL := help
.PHONY: help setup demo run test cover again check audit sbom soak fuzz chaos bench lock clean

# Where a machine forbids compiled modules, each start of each process would compile everything again.
unexport PYTHONDONTWRITEBYTECODE
# CHARGING_PYTHON chooses another interpreter for the environment.
CHARGING_PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamp
PYTEST := $(BIN)/python -m pytest
# Each worker runs its own Temporal server and its own PostgreSQL; four fill the time in which two cores wait.
WORKERS ?= 4
# How long each fuzzer runs.
SECONDS ?= 30
# Of `make chaos`: the first seed, how many, and options of `python -m tests.chaos`.
SEED ?= 1
RUNS ?= 1
CHAOS ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## make .venv with everything, exactly as locked

$(STAMP): requirements-dev.lock pyproject.toml
	$(CHARGING_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(CHARGING_PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## charge one car on this machine, from the request to the paid receipt
	$(BIN)/charging demo

run: setup ## run the whole stack on this machine until Ctrl-C
	$(BIN)/charging up

test: setup ## all tests but the slow ones
	$(PYTEST) -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not soak"

cover: setup ## the same, with the branches of the rules and of the protocol that it reaches
	$(PYTEST) -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not soak" --cov --cov-report=term

again: setup ## what failed last time, once more, one after the other; what chaos has found is never forgiven
	@! grep -qs '"tests/chaos/' .pytest_cache/v/cache/lastfailed
	$(PYTEST) -m "not soak" --last-failed --last-failed-no-failures none

check: setup ## format, lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: setup ## known vulnerabilities of what is installed (needs the network; AUDIT=--may-be-offline forgives)
	$(BIN)/python .ci/audit.py $(AUDIT)

sbom: setup ## what is installed, as CycloneDX, in build/sbom.json
	@mkdir -p build
	$(BIN)/python .ci/sbom.py > build/sbom.json

soak: setup ## the slow tests: processes killed at many moments
	$(PYTEST) -m soak --timeout 600 --ignore tests/fuzz

fuzz: setup ## odd requests, pushes and tokens, each fuzzer for SECONDS (30)
	FUZZ_SECONDS=$(SECONDS) $(PYTEST) tests/fuzz -m soak -s

chaos: setup ## real processes under a plan of faults, then I1-I12: make chaos SEED=1 RUNS=10
	$(BIN)/python -m tests.chaos --seed $(SEED) --runs $(RUNS) $(CHAOS)

bench: setup ## measure, as ratios in one run; results in benches/results/
	$(BIN)/python -m benches

lock: setup ## renew the lock files from pyproject.toml (needs the network)
	$(BIN)/uv pip compile $(LOCK_OPTIONS) --extra build --extra embedded --extra telemetry -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile $(LOCK_OPTIONS) --extra dev -o requirements-dev.lock pyproject.toml

# Hashes of every file that may be installed; nothing about where a machine gets its packages from.
LOCK_OPTIONS := --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links --no-annotate

clean: ## remove the environment and the caches of the tools; data directories stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis .import_linter_cache .coverage
