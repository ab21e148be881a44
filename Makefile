# `make` alone lists the targets. Each target installs what it needs into .venv, pinned by constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
CONFIG ?= segue.toml
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo serve test check lint format types imports bench bench-bakeoff bench-http bench-policies bench-probabilities bench-profiles bench-slots clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[demo,dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.peers: $(VENV)/.dev
	$(INSTALL) '.[peers]'
	@touch $@

demo: $(VENV)/.demo ## the main job on real input (ARGS="--households all" for the whole year)
	$(BIN)/segue demo $(ARGS)

serve: $(VENV)/.demo ## run the service with CONFIG (default segue.toml)
	$(BIN)/segue serve --config $(CONFIG)

test: $(VENV)/.dev ## run the tests
	$(BIN)/python -m pytest $(ARGS)

check: lint types imports test ## what CI runs: lint, types, import layers, tests

lint: $(VENV)/.dev ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

imports: $(VENV)/.dev ## import-linter: api > simulator > policy | segments
	$(BIN)/lint-imports

bench: bench-policies bench-profiles bench-http ## every benchmark, peers beside ours

bench-bakeoff: $(VENV)/.peers ## mean reward beside five peer libraries (an hour)
	$(BIN)/python -m benchmarks.bakeoff $(ARGS)

bench-http: $(VENV)/.peers ## requests per second beside a no-op FastAPI endpoint
	$(BIN)/python -m benchmarks.http $(ARGS)

bench-policies: $(VENV)/.peers ## microseconds per decision and per update, MABWiser beside
	$(BIN)/python -m benchmarks.policies $(ARGS)

bench-probabilities: $(VENV)/.dev ## a million distributions, and draws against them (two minutes)
	$(BIN)/python -m benchmarks.probabilities $(ARGS)

bench-slots: $(VENV)/.dev ## milliseconds per list of ten slots, and per exact marginals
	$(BIN)/python -m benchmarks.slots $(ARGS)

bench-profiles: $(VENV)/.peers ## bytes per visitor and microseconds per event
	$(BIN)/python -m benchmarks.profiles $(ARGS)

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
