# `make` alone lists the targets. Each target installs what it needs into .venv, pinned by constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OBP := .venv-obp
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
CONFIG ?= segue.toml
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: $(shell awk -F ':' '/^[a-z-]+:/ {print $$1}' $(MAKEFILE_LIST))

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

$(VENV)/.train: $(VENV)/.dev
	$(INSTALL) '.[train]'
	@touch $@

$(VENV)/.ray: $(VENV)/.dev
	$(INSTALL) '.[ray]'
	@touch $@

$(VENV)/.peers: $(VENV)/.dev
	$(INSTALL) '.[peers]'
	@touch $@

$(OBP)/.obp: benchmarks/ope/obp-requirements.txt
	$(PYTHON) -m venv $(OBP)
	$(OBP)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

demo: $(VENV)/.demo ## the main job on real input (ARGS="--households all" for the whole year)
	$(BIN)/segue demo $(ARGS)

serve: $(VENV)/.demo ## run the service with CONFIG (default segue.toml)
	$(BIN)/segue serve --config $(CONFIG)

test: $(VENV)/.dev ## run the tests
	$(BIN)/python -m pytest $(ARGS)

test-security: $(VENV)/.dev ## strangers, leaked keys, forged webhooks, hostile bodies
	$(BIN)/python -m pytest tests/api/test_security.py tests/api/test_auth.py tests/api/test_bodies.py tests/api/webhooks tests/policy/test_model_file.py $(ARGS)

test-train: $(VENV)/.train ## the tests that need torch or numba (skipped elsewhere)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/policy/ppo tests/simulator tests/api/cli/test_train.py \
		tests/contracts/test_segment_families.py tests/segments/cluster/test_neural.py $(ARGS)

test-ray: $(VENV)/.ray ## the tests that work on a Ray of this machine (skipped elsewhere)
	$(BIN)/python -m pytest tests/api/shards tests/api/cli/test_evaluate.py tests/api/cli/test_experiment.py $(ARGS)

test-crash: $(VENV)/.dev ## kill -9 under load, power loss, the broken control (ARGS="--kills 1000")
	$(BIN)/python -m pytest tests/api/test_crash.py tests/api/test_power_loss.py $(ARGS)

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

bench-budget: $(VENV)/.dev ## spend and value of budgets over 200 simulated days, and oversold units
	$(BIN)/python -m benchmarks.budget $(ARGS)

bench-context: $(VENV)/.demo ## whether segments and behaviour help or hurt the policy (15 minutes)
	$(BIN)/python -m benchmarks.context $(ARGS)

bench-http: $(VENV)/.peers ## requests per second beside a no-op FastAPI endpoint
	$(BIN)/python -m benchmarks.http $(ARGS)

bench-ope: $(VENV)/.dev ## off-policy evaluation: beside OBP, coverage, errors, promotions (twenty minutes)
	-@$(MAKE) --no-print-directory $(OBP)/.obp
	$(BIN)/python -m benchmarks.ope $(ARGS)

bench-policies: $(VENV)/.peers ## microseconds per decision and per update, MABWiser beside
	$(BIN)/python -m benchmarks.policies $(ARGS)

bench-prices: $(VENV)/.peers ## revenue of prices out of a range, VW's CATS and a ladder beside
	$(BIN)/python -m benchmarks.prices $(ARGS)

bench-probabilities: $(VENV)/.dev ## a million distributions checked, 100,000 draws from five of each kind
	$(BIN)/python -m benchmarks.probabilities $(ARGS)

bench-refit: $(VENV)/.dev ## whether the service's refits keep customers where they behave as before
	$(BIN)/python -m benchmarks.refit $(ARGS)

bench-segments: $(VENV)/.train ## whether segments last, are apart and know the future, on three shops
	$(BIN)/python -m benchmarks.segments $(ARGS)

bench-membership: $(VENV)/.dev ## what keeping every visitor's segment current costs
	$(BIN)/python -m benchmarks.membership $(ARGS)

bench-service: $(VENV)/.dev ## events, slow disks, a million visitors, disturbances, soaking (ARGS=--quick)
	$(BIN)/python -m benchmarks.service $(ARGS)

bench-slots: $(VENV)/.dev ## milliseconds per list of ten slots, and per exact marginals
	$(BIN)/python -m benchmarks.slots $(ARGS)

bench-ppo: $(VENV)/.train ## share of a known optimum: PPO, bandits, myopic, constant (15 minutes)
	$(BIN)/python -m benchmarks.ppo $(ARGS)

bench-ppo-shoppers: $(VENV)/.train ## PPO beside bandits in full worlds, some perturbed (ten minutes)
	$(BIN)/python -m benchmarks.ppo_shoppers $(ARGS)

bench-simulator: $(VENV)/.train ## environment steps per second, numpy and compiled
	$(BIN)/python -m benchmarks.simulator $(ARGS)

bench-profiles: $(VENV)/.peers ## bytes per visitor and microseconds per event
	$(BIN)/python -m benchmarks.profiles $(ARGS)

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) $(OBP) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
