# Everything a newcomer types: `make up`, `make down`, `make test`. Each sets up what it needs and can be run again.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?=
PORT ?= 8000
ARGS ?=
# Where torch's CPU build comes from, if the package index in use has only the CUDA build.
TORCH_INDEX ?=

.PHONY: up down status test tools check lint types imports unit integration e2e docs reference bench setup setup-dev clean

up: $(VENV)/.ready
	@$(BIN)/rayapp up --detach --port $(PORT) $(if $(DATA),--data "$(DATA)") $(ARGS)

down:
	@if [ -x $(BIN)/rayapp ]; then $(BIN)/rayapp down; else echo "nothing is set up, nothing runs"; fi

status: $(VENV)/.ready
	@$(BIN)/rayapp status

# What a change must pass before it is committed: minutes, and no running system.
check: lint types imports unit docs

# All of it: what CI runs. The tools come first, so that no unit test skips for lack of promtool.
test: tools check integration e2e

tools:
	deploy/system_packages.sh kcat prometheus chromium

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready-dev
	$(BIN)/basedpyright --pythonpath $(BIN)/python

# The import contract of pyproject.toml.
imports: $(VENV)/.ready-dev
	$(BIN)/lint-imports

unit: $(VENV)/.ready-dev
	$(BIN)/python -m pytest tests/unit -q --durations=8

integration: $(VENV)/.ready-dev
	deploy/system_packages.sh kcat prometheus
	$(BIN)/python -m pytest tests/integration -q --durations=8

e2e: $(VENV)/.ready-dev
	deploy/system_packages.sh kcat prometheus chromium
	$(BIN)/python -m pytest tests/e2e -q --durations=8

# The documentation as a site below site/; fails on a stale reference page or a broken link.
docs: $(VENV)/.ready-dev
	$(BIN)/python -m docs.generate --check
	$(BIN)/mkdocs build --strict --quiet

# The reference pages made anew from the code.
reference: $(VENV)/.ready-dev
	$(BIN)/python -m docs.generate

bench: $(VENV)/.ready-dev
	$(BIN)/python -m tests.benchmarks.feed_latency

setup: $(VENV)/.ready
setup-dev: $(VENV)/.ready-dev

# torch first and pinned, so that nothing pulls the CUDA build.
$(VENV)/.ready: pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" deploy/setup_venv.sh $(VENV) cpu

$(VENV)/.ready-dev: $(VENV)/.ready pyproject.toml constraints.txt
	@PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" deploy/setup_venv.sh $(VENV) cpu,dev,docs
	@touch $@

clean: down
	rm -rf $(VENV) .rayapp site
