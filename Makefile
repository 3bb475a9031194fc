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

.PHONY: up down status test unit e2e lint bench setup setup-dev docs reference clean

up: $(VENV)/.ready
	$(BIN)/rayapp up --detach --port $(PORT) $(if $(DATA),--data $(DATA)) $(ARGS)

down:
	@if [ -x $(BIN)/rayapp ]; then $(BIN)/rayapp down; else echo "nothing is set up, nothing runs"; fi

status: $(VENV)/.ready
	$(BIN)/rayapp status

test: $(VENV)/.ready-dev
	deploy/system_packages.sh kcat prometheus chromium
	$(BIN)/ruff check .
	$(BIN)/python -m pytest tests/unit tests/e2e -q --durations=12

unit: $(VENV)/.ready-dev
	$(BIN)/python -m pytest tests/unit -q

e2e: $(VENV)/.ready-dev
	deploy/system_packages.sh kcat prometheus chromium
	$(BIN)/python -m pytest tests/e2e -q

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: $(VENV)/.ready-dev
	$(BIN)/python -m tests.benchmarks.feed_latency

# The documentation as a site below site/, and the reference pages made anew from the code.
docs: $(VENV)/.ready-docs
	$(BIN)/python -m docs.generate --check
	$(BIN)/mkdocs build --strict

reference: $(VENV)/.ready
	$(BIN)/python -m docs.generate

setup: $(VENV)/.ready
setup-dev: $(VENV)/.ready-dev

# torch first and pinned, so that nothing pulls the CUDA build.
$(VENV)/.ready: pyproject.toml constraints.txt
	PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" deploy/setup_venv.sh $(VENV) cpu

$(VENV)/.ready-dev: $(VENV)/.ready pyproject.toml constraints.txt
	PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" deploy/setup_venv.sh $(VENV) cpu,dev
	@touch $@

$(VENV)/.ready-docs: $(VENV)/.ready pyproject.toml constraints.txt
	PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" deploy/setup_venv.sh $(VENV) cpu,docs
	@touch $@

clean: down
	rm -rf $(VENV) .rayapp
