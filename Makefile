# `make up` runs the fleet, `make test` checks everything. Both need Python 3.11 or newer, make and git only.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# Handed to `tracker up`, such as ARGS="--source polygon".
ARGS ?=

# A command that is only a shim of a version manager may exist and not run, so each is tried.
PYTHON ?= $(shell for each in python3.13 python3.12 python3.11 python3; do \
	if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo $$each; break; fi; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
PIP := $(BIN)/python -m pip

.PHONY: help setup setup-dev up down test lint bench bench-peers render clean

help:
	@echo "make up      run the fleet here, Ctrl-C ends it (ARGS=\"...\" is handed to tracker up)"
	@echo "make down    end a fleet that was left running"
	@echo "make test    linters, types, import contracts and all tests"
	@echo "make lint    the first three of them"
	@echo "make bench   measurements; make bench-peers   with freqtrade and vectorbt too (1.5 GB in .venv-peers)"
	@echo "make setup   install into $(VENV)"
	@echo "make clean   remove $(VENV) and caches; DATA=1 removes .data too"

setup: $(VENV)/.project

setup-dev: $(VENV)/.dev $(VENV)/.project

# Made anew when the lock changes, so that nothing stays that the lock no longer names.
$(VENV)/.runtime: requirements.lock
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or newer is missing: install it (apt-get install python3 python3-venv, brew install python@3.13)," >&2; \
		echo "or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is not Python 3.11 or newer" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: install its venv package (apt-get install python3-venv)" >&2; \
		exit 1; }
	rm -rf $(VENV)
	"$(PYTHON)" -m venv $(VENV)
	$(PIP) install --quiet --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.runtime
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

up: setup
	@$(BIN)/tracker up $(ARGS)

down: setup
	@$(BIN)/tracker down

lint: setup-dev
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache

# Each worker has a database server of its own; a file's tests stay together, as do what they share.
test: lint
	$(BIN)/pytest -ra -n auto --maxprocesses 4 --dist loadfile

bench: setup-dev
	@found=`ls benchmarks/bench_*.py 2>/dev/null`; \
	if [ -z "$$found" ]; then echo "there is no benchmark yet"; exit 0; fi; \
	for each in $$found; do $(BIN)/python $$each || exit 1; done
	$(BIN)/python benchmarks/market_data.py
	$(BIN)/python benchmarks/backtest.py

# Other backtesters need packages that do not resolve with ours, so they stand beside the project in a place of their own.
.venv-peers/.installed: requirements-peers.lock $(VENV)/.runtime
	rm -rf .venv-peers
	"$(PYTHON)" -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --require-hashes -r requirements-peers.lock
	.venv-peers/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

bench-peers: .venv-peers/.installed
	.venv-peers/bin/python benchmarks/backtest.py

render: setup
	$(BIN)/tracker fleet render

clean:
	@if [ -x $(BIN)/tracker ]; then $(BIN)/tracker down; fi
	rm -rf $(VENV) .venv-peers .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -n "$(DATA)" ]; then rm -rf .data; fi
