# Each target sets up what it needs: a virtual environment in .venv, kept until setup.cfg changes.

# python3, or a newer one beside it where python3 is too old
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test lint format docs bench clean

help:
	@echo 'make demo    simulate BERT-Large on HyFlexPIM; results in build/demo'
	@echo 'make test    run the test suite'
	@echo 'make lint    ruff and mypy'
	@echo 'make format  let ruff rewrite what it can'
	@echo 'make docs    regenerate the generated pages of docs/ and the traces of workloads/'
	@echo 'make bench   measure the speed of archsim itself'
	@echo 'make clean   remove .venv, build/ and caches'

demo: $(VENV)/.test
	$(BIN)/archsim simulate hwconfigs/hyflexpim.yaml workloads/bert_large.trace --out build/demo --overwrite

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

docs: $(VENV)/.test
	set -e; for tool in $(wildcard tools/write_*.py); do $(BIN)/python $$tool; done

bench: $(VENV)/.test
	set -e; for benchmark in $(wildcard benchmarks/*.py); do $(BIN)/python $$benchmark; done

clean:
	rm -rf $(VENV) build *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find archsim tests tools benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'archsim needs Python 3.11 or newer, and none was found on the PATH:' \
	    'install one, or name it with make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'archsim needs Python 3.11 or' \
	    "newer; $(PYTHON) is $$($(PYTHON) --version 2>&1): try make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.test: setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	$(PIP) --editable '.[test,dev]'
	@touch $@
