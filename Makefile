# Two commands do everything on a fresh machine:  make demo   make test
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
DEMO_ROOT := $(CURDIR)/demo

.PHONY: help demo test check system-test bench golden clean

help:
	@echo 'make demo         plan, diff, apply, remove for a recorded 4-GPU host, into ./demo'
	@echo 'make test         set up, then linters, types, unit, golden and integration tests'
	@echo 'make check        linters, types and import floors alone'
	@echo 'make system-test  real hosts: a two-node virtual machine and four containers (root, minutes)'
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
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

system-test: $(VENV)/.dev
	@.ci/packages system
	@$(BIN)/python -m pytest -m system tests/system $(PYTEST_ARGS)

bench: $(VENV)/.dev
	@.ci/packages system
	@$(BIN)/python -m benchmarks fleet $(BENCH_ARGS)

golden: $(VENV)/.dev
	@$(BIN)/python -m pytest -q tests/golden tests/unit --update-golden
	@git --no-pager diff --stat -- tests/golden docs

clean:
	rm -rf $(VENV) demo dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
