# make run   trains the embedded default and prints its test error
# make check the gate's quick part: format, lint, goldens, a test per promise
# make test  the whole gate
# make docs  builds the site in build/docs
# All build a private environment in .venv first. PYTHON=... chooses the interpreter.

PYTHON ?= python3
BIN := .venv/bin
RUN := runs/digits-$(shell date +%Y%m%d-%H%M%S)

.PHONY: run check test lint bench docs clean

run: .venv/library
	$(BIN)/python -m noisejax.train --workdir=$(RUN)

EIGHT := XLA_FLAGS=--xla_force_host_platform_device_count=8
PYTEST := $(BIN)/python -m pytest -n 2 --dist=loadfile

check: .venv/test lint
	$(PYTEST) tests/goldens_test.py tests/promises_test.py \
	  $$($(BIN)/python -m tests.promises)
	$(EIGHT) $(PYTEST) $$($(BIN)/python -m tests.promises --sharded)

test: .venv/test lint
	$(PYTEST) --ignore=tests/sharded
	$(EIGHT) $(PYTEST) tests/sharded

lint: .venv/test
	$(BIN)/ruff format --check noisejax benchmarks tests
	$(BIN)/ruff check noisejax benchmarks tests

bench: .venv/bench
	$(BIN)/python -m benchmarks

docs: .venv/docs
	$(BIN)/python -m sphinx -c docs -W --keep-going -q . build/docs

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/library: setup.cfg pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/%: setup.cfg pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@

clean:
	rm -rf .venv .cache build docs/api *.egg-info
