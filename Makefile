# Two commands do everything on a fresh machine:  make demo   make test
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
DEMO_ROOT := $(CURDIR)/demo
# Which calls runs are killed at is drawn anew in each run; a seed that is given draws the same again.
PROVISION_TORTURE_SEED ?= $(shell echo $$RANDOM)
export PROVISION_TORTURE_SEED := $(PROVISION_TORTURE_SEED)
# Test processes: many tests wait for others (reloads, time-outs), so one more than usual cores.
WORKERS ?= 3
# Test hosts wait for even more: drains, steady times, time-outs.
HOST_WORKERS ?= 4
# How much `make torture` does: kills of each of 17 scenarios, kills on a live host, power cuts.
KILLS ?= 100
LIVE_KILLS ?= 60
POWER_CUTS ?= 8

.PHONY: help demo test check system-test torture bench golden clean

help:
	@echo 'make demo         plan, diff, apply, remove for a recorded 4-GPU host, into ./demo'
	@echo 'make test         set up, then linters, types, unit, golden and integration tests'
	@echo 'make check        linters, types and import floors alone'
	@echo 'make system-test  real hosts: a two-node virtual machine and four containers (root, minutes)'
	@echo 'make torture      kill -9 a thousand times and cut the power of a machine (root, an hour)'
	@echo 'make bench        provision and plain Ansible side by side on four containers (root, minutes)'
	@echo 'make golden       rewrite golden files; read the diff line by line'

$(VENV)/.demo: pyproject.toml
	@test -n "$(PYTHON)" || { echo 'Python 3.10 or later with venv is needed (Debian: apt install python3-venv)' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fleet]' --group dev
	@touch $@

demo: $(VENV)/.demo
	@.ci/demo $(BIN)/provision $(DEMO_ROOT)

test: $(VENV)/.dev
	@.ci/packages test
	@$(MAKE) --no-print-directory check
	@echo "PROVISION_TORTURE_SEED=$$PROVISION_TORTURE_SEED"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

system-test: $(VENV)/.dev
	@.ci/packages system
	@echo "PROVISION_TORTURE_SEED=$$PROVISION_TORTURE_SEED"
	@$(BIN)/python -m pytest -m system -v -n $(HOST_WORKERS) --dist loadfile --no-loadscope-reorder \
		tests/system $(PYTEST_ARGS)

torture: $(VENV)/.dev
	@.ci/packages test
	@.ci/packages system
	@echo "PROVISION_TORTURE_SEED=$$PROVISION_TORTURE_SEED"
	@PROVISION_TORTURE_KILLS=$(KILLS) $(BIN)/python -m pytest -n 2 tests/torture $(PYTEST_ARGS)
	@PROVISION_TORTURE_LIVE_KILLS=$(LIVE_KILLS) PROVISION_TORTURE_POWER_CUTS=$(POWER_CUTS) \
		$(BIN)/python -m pytest -m system tests/system/test_kill.py tests/system/test_power_loss.py \
		$(PYTEST_ARGS)

bench: $(VENV)/.dev
	@.ci/packages system
	@$(BIN)/python -m benchmarks fleet $(BENCH_ARGS)

golden: $(VENV)/.dev
	@$(BIN)/python -m pytest -q tests/golden tests/unit --update-golden
	@git --no-pager diff --stat -- tests/golden docs

clean:
	rm -rf $(VENV) demo dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
